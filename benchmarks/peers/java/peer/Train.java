package peer;

import com.datastax.oss.driver.api.core.DriverException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Uses all parts of the client without any server, so that the JVM can keep their classes in an archive. */
public final class Train {
    private static final Job NOWHERE = new Job(
            "127.0.0.1:1", "127.0.0.1", 1, "k", "s", "t", "d", "g", false, 1, 1_048_576);

    private Train() {}

    public static void main(String[] args) throws Exception {
        Rules rules = Job.rules();
        Decoder decoder = new Decoder(rules, NOWHERE.maxRecordBytes());
        for (String each : List.of(args)) {
            try {
                decoder.decode(null, each.getBytes(StandardCharsets.UTF_8), 1_900_000_000_000L, new byte[0], 0, 0);
            } catch (Rejected rejected) {
                continue; // that is some of what they are for
            }
        }
        Tuning tuning = new Tuning();
        Main.producer(NOWHERE, tuning).close(java.time.Duration.ZERO);
        Source.consumer(NOWHERE, 10).close(java.time.Duration.ZERO);
        try (Store store = new Store(rules, tuning, NOWHERE.contactPoint(), NOWHERE.cassandraPort(), "k")) {
            store.check();
        } catch (DriverException expected) {
            System.out.println("nobody answers, as it should be");
        }
    }
}
