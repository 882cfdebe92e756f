package peer;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** One thread with partitions of its own: polls, decodes, writes to both sinks, commits what both acknowledged. */
final class Worker implements Runnable {
    private static final Duration WAIT = Duration.ofMillis(100);

    private record Chunk(Acknowledgement done, Map<TopicPartition, OffsetAndMetadata> next) {}

    private final Job job;
    private final Tuning tuning;
    private final Decoder decoder;
    private final Store store;
    private final Producer<byte[], byte[]> producer;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final List<TopicPartition> partitions;
    private final byte[] topic;
    private final Map<Integer, byte[]> numbers = new HashMap<>();
    private final Deque<Chunk> open = new ArrayDeque<>();
    volatile boolean stopping;

    Worker(Job job, Tuning tuning, Rules rules, Store store, Producer<byte[], byte[]> producer, int number) {
        this.job = job;
        this.tuning = tuning;
        this.store = store;
        this.producer = producer;
        decoder = new Decoder(rules, job.maxRecordBytes());
        topic = Enrich.bytes(job.sourceTopic());
        consumer = Source.consumer(job, tuning.chunk);
        partitions = Source.share(consumer, job.sourceTopic(), number, job.workers());
    }

    @Override
    public void run() {
        try (consumer) {
            Source.begin(consumer, partitions);
            Map<TopicPartition, Long> ends = job.follow() ? null : consumer.endOffsets(partitions);
            while (!stopping && !(ends != null && reached(ends))) {
                boolean any = work(ends);
                while (open.size() >= (any ? tuning.pipeline : 1)) {
                    commitOldest();
                }
                while (!open.isEmpty() && open.peek().done.isDone()) {
                    commitOldest();
                }
            }
            while (!open.isEmpty()) {
                commitOldest();
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean reached(Map<TopicPartition, Long> ends) {
        for (TopicPartition each : partitions) {
            if (consumer.position(each) < ends.get(each)) {
                return false;
            }
        }
        return true;
    }

    /** Takes one chunk on; false where nothing waited. */
    private boolean work(Map<TopicPartition, Long> ends) throws InterruptedException {
        Acknowledgement done = new Acknowledgement();
        List<Event> events = new ArrayList<>(tuning.chunk);
        int count = 0;
        ConsumerRecords<byte[], byte[]> records = consumer.poll(WAIT);
        while (!records.isEmpty()) {
            for (ConsumerRecord<byte[], byte[]> record : records) {
                take(record, events, done);
            }
            count += records.count();
            if (job.follow() || count >= tuning.chunk || reached(ends)) {
                break; // always on, what has come is written at once
            }
            records = consumer.poll(Duration.ZERO);
        }
        if (count == 0) {
            return false;
        }
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        for (TopicPartition each : partitions) {
            next.put(each, new OffsetAndMetadata(consumer.position(each)));
        }
        store.writeBatched(events, done);
        done.complete();
        open.add(new Chunk(done, next));
        return true;
    }

    private void take(ConsumerRecord<byte[], byte[]> record, List<Event> events, Acknowledgement done) {
        RecordHeaders headers = new RecordHeaders();
        String target;
        byte[] value;
        try {
            Event event = decoder.decode(
                    record.key(), record.value(), record.timestamp(), topic, record.partition(), record.offset());
            addSource(headers, record);
            headers.add("event_id", event.cells[3]);
            target = job.transformedTopic();
            value = event.json;
            event.json = null;
            events.add(event);
        } catch (Rejected rejected) {
            headers.add("reason", Enrich.bytes(rejected.reason));
            headers.add("detail", Enrich.bytes(rejected.getMessage()));
            addSource(headers, record);
            headers.add("received_at", ascii(record.timestamp()));
            target = job.deadLetterTopic();
            value = record.value();
        }
        done.expect();
        producer.send(new ProducerRecord<>(target, null, record.key(), value, headers),
                (metadata, error) -> done.arrived(error));
    }

    private void addSource(RecordHeaders headers, ConsumerRecord<byte[], byte[]> record) {
        headers.add("source_topic", topic);
        headers.add("source_partition", numbers.computeIfAbsent(record.partition(), Worker::ascii));
        headers.add("source_offset", ascii(record.offset()));
    }

    private void commitOldest() throws InterruptedException {
        Chunk chunk = open.peek();
        chunk.done.await();
        consumer.commitSync(chunk.next);
        open.remove();
    }

    private static byte[] ascii(long number) {
        return Long.toString(number).getBytes(StandardCharsets.ISO_8859_1);
    }

    private static byte[] ascii(int number) {
        return ascii((long) number);
    }
}
