package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;

/** What there is to do: {@code benchmarks.work.Work}, out of the environment. */
record Job(String bootstrap, String contactPoint, int cassandraPort, String keyspace, String sourceTopic,
        String transformedTopic, String deadLetterTopic, String group, boolean follow, int workers, int maxRecordBytes) {

    static Job fromEnvironment() throws Exception {
        JsonNode work = new ObjectMapper().readTree(System.getenv("CLICKTRAIL_BENCH_WORK"));
        return new Job(work.get("bootstrap").asText(), work.get("contact_point").asText(),
                work.get("cassandra_port").asInt(), work.get("keyspace").asText(), work.get("source_topic").asText(),
                work.get("transformed_topic").asText(), work.get("dead_letter_topic").asText(),
                work.get("group").asText(), work.get("follow").asBoolean(), work.get("workers").asInt(),
                work.get("max_record_bytes").asInt());
    }

    static Rules rules() throws Exception {
        return new Rules(Path.of(System.getProperty("peer.rules")));
    }
}
