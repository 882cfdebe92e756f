package peer;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Opens consumers of the source topic, with partitions of their own and positions out of what their group committed. */
final class Source {
    private Source() {}

    static KafkaConsumer<byte[], byte[]> consumer(Job job, int records) {
        Properties config = new Properties();
        config.put("bootstrap.servers", job.bootstrap());
        config.put("group.id", job.group());
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("max.poll.records", Integer.toString(records));
        config.put("max.partition.fetch.bytes", Integer.toString(4 << 20));
        config.put("fetch.max.bytes", Integer.toString(32 << 20));
        config.put("receive.buffer.bytes", "-1");
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** The partitions of one worker of so many. */
    static List<TopicPartition> share(KafkaConsumer<byte[], byte[]> consumer, String topic, int worker, int workers) {
        List<TopicPartition> mine = new ArrayList<>();
        consumer.partitionsFor(topic).stream()
                .filter(each -> each.partition() % workers == worker)
                .forEach(each -> mine.add(new TopicPartition(topic, each.partition())));
        return mine;
    }

    static void begin(KafkaConsumer<byte[], byte[]> consumer, List<TopicPartition> partitions) {
        consumer.assign(partitions);
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(new HashSet<>(partitions));
        for (TopicPartition each : partitions) {
            OffsetAndMetadata known = committed.get(each);
            if (known == null) {
                consumer.seekToBeginning(List.of(each));
            } else {
                consumer.seek(each, known);
            }
        }
    }
}
