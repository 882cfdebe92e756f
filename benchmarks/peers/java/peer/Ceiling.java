package peer;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * How fast Cassandra takes our full row from a client that has nothing else to do: {@code single} inserts, or {@code
 * batched} by partition. The rows are read and decoded before the clock starts.
 */
public final class Ceiling {
    private Ceiling() {}

    public static void main(String[] args) throws Exception {
        boolean batched = args[0].equals("batched");
        int wanted = Integer.parseInt(args[1]);
        Job job = Job.fromEnvironment();
        Rules rules = Job.rules();
        try (Store store = new Store(rules, new Tuning(), job.contactPoint(), job.cassandraPort(), job.keyspace())) {
            List<Event> events = read(job, rules, wanted);
            Collection<List<Event>> partitions = batched ? Store.byPartition(events) : null;
            if (batched) {
                events.clear();
                partitions.forEach(events::addAll);
            }
            List<Event> first = new ArrayList<>(events.subList(0, Math.min(20_000, events.size())));
            write(store, first, batched ? Store.byPartition(first) : null); // the compilers of both sides get warm
            OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
            long cpu = system.getProcessCpuTime();
            long began = System.nanoTime();
            write(store, events, partitions);
            double seconds = (System.nanoTime() - began) / 1e9;
            double spent = (system.getProcessCpuTime() - cpu) / 1e9;
            System.out.printf(java.util.Locale.ROOT,
                    "{\"events\": %d, \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"partitions\": %d}%n",
                    events.size(), seconds, spent, batched ? partitions.size() : 0);
        }
    }

    private static void write(Store store, List<Event> events, Collection<List<Event>> partitions) throws Exception {
        Acknowledgement done = new Acknowledgement();
        if (partitions == null) {
            for (Event each : events) {
                store.writeSingle(each, done);
            }
        } else {
            for (List<Event> rows : partitions) {
                store.writePartition(rows, done);
            }
        }
        done.complete();
        done.await();
    }

    private static List<Event> read(Job job, Rules rules, int wanted) throws Exception {
        Decoder decoder = new Decoder(rules, job.maxRecordBytes());
        byte[] topic = Enrich.bytes(job.sourceTopic());
        List<Event> events = new ArrayList<>(wanted);
        try (KafkaConsumer<byte[], byte[]> consumer = Source.consumer(job, 5000)) {
            List<TopicPartition> partitions = Source.share(consumer, job.sourceTopic(), 0, 1);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (events.size() < wanted && partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (events.size() == wanted) {
                        break;
                    }
                    try {
                        Event event = decoder.decode(record.key(), record.value(), record.timestamp(), topic,
                                record.partition(), record.offset());
                        event.json = null;
                        events.add(event);
                    } catch (Rejected rejected) {
                        continue; // dead letters are not rows of this table
                    }
                }
            }
        }
        return events;
    }
}
