package peer;

import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The plain Java client: kafka-clients, Jackson, the DataStax driver; a thread for each share of the partitions. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        Job job = Job.fromEnvironment();
        Tuning tuning = new Tuning();
        Rules rules = Job.rules();
        List<Worker> workers = new ArrayList<>();
        ExecutorService threads = Executors.newFixedThreadPool(job.workers());
        try (Store store = new Store(rules, tuning, job.contactPoint(), job.cassandraPort(), job.keyspace());
                KafkaProducer<byte[], byte[]> producer = producer(job, tuning)) {
            ExecutorCompletionService<Void> running = new ExecutorCompletionService<>(threads);
            for (int number = 0; number < job.workers(); number++) {
                Worker worker = new Worker(job, tuning, rules, store, producer, number);
                workers.add(worker);
                running.submit(worker, null);
            }
            Thread main = Thread.currentThread();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                workers.forEach(worker -> worker.stopping = true);
                try {
                    main.join(30_000);
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }));
            for (int number = 0; number < job.workers(); number++) {
                running.take().get();
            }
        } catch (ExecutionException error) {
            error.getCause().printStackTrace();
            Runtime.getRuntime().halt(1);
        } finally {
            threads.shutdownNow();
        }
    }

    static KafkaProducer<byte[], byte[]> producer(Job job, Tuning tuning) {
        Properties config = new Properties();
        config.put("bootstrap.servers", job.bootstrap());
        config.put("acks", "all");
        config.put("enable.idempotence", "true");
        config.put("compression.type", "lz4");
        config.put("linger.ms", Integer.toString(job.follow() ? 5 : tuning.linger));
        config.put("batch.size", Integer.toString(tuning.producerBatch));
        config.put("buffer.memory", Integer.toString(64 << 20));
        config.put("max.request.size", Integer.toString(2 * job.maxRecordBytes() + 65_536));
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }
}
