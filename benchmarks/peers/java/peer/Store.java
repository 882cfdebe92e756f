package peer;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchableStatement;
import com.datastax.oss.driver.api.core.cql.BoundStatement;
import com.datastax.oss.driver.api.core.cql.BoundStatementBuilder;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.Statement;
import com.datastax.oss.driver.internal.core.loadbalancing.DcInferringLoadBalancingPolicy;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;

/** Writes rows of {@code events_by_user_day}: asynchronously, a bounded number of requests in flight. */
final class Store implements AutoCloseable {
    private record Key(String userId, int day) {}

    private final CqlSession session;
    private final PreparedStatement insert;
    private final int writeTimeIndex;
    private final int inFlight;
    private final Semaphore room;
    private final int rowsPerBatch;
    private final int bytesPerBatch;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    Store(Rules rules, Tuning tuning, String host, int port, String keyspace) {
        inFlight = tuning.inFlight;
        room = new Semaphore(inFlight);
        rowsPerBatch = tuning.rowsPerBatch;
        bytesPerBatch = tuning.bytesPerBatch;
        DriverConfigLoader config = DriverConfigLoader.programmaticBuilder()
                .withString(DefaultDriverOption.REQUEST_CONSISTENCY, "LOCAL_ONE")
                .withBoolean(DefaultDriverOption.REQUEST_DEFAULT_IDEMPOTENCE, true)
                .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
                .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(30))
                .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(30))
                .withString(DefaultDriverOption.PROTOCOL_VERSION, tuning.protocol)
                .withInt(DefaultDriverOption.CONNECTION_POOL_LOCAL_SIZE, tuning.connections)
                .withInt(DefaultDriverOption.CONNECTION_MAX_REQUESTS, 4096)
                .withInt(DefaultDriverOption.NETTY_IO_SIZE, tuning.connections)
                .withInt(DefaultDriverOption.NETTY_ADMIN_SIZE, 1)
                .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 0) // its default costs two seconds each
                .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 0)
                .withClass(DefaultDriverOption.LOAD_BALANCING_POLICY_CLASS, DcInferringLoadBalancingPolicy.class)
                .build();
        session = CqlSession.builder().withConfigLoader(config).addContactPoint(new InetSocketAddress(host, port)).build();
        String columns = String.join(", ", rules.fields);
        String marks = "?, ".repeat(rules.fields.size() - 1) + "?";
        insert = session.prepare("INSERT INTO " + keyspace + ".events_by_user_day (" + columns + ") VALUES (" + marks
                + ") USING TIMESTAMP ?");
        writeTimeIndex = rules.fields.size();
    }

    /** Writes a chunk: rows of one partition together, in unlogged batches. Blocks while too much is in flight. */
    void writeBatched(List<Event> events, Acknowledgement done) throws InterruptedException {
        for (List<Event> rows : byPartition(events)) {
            writePartition(rows, done);
        }
    }

    /** The events by partition, each in the order of the table. */
    static Collection<List<Event>> byPartition(List<Event> events) {
        Map<Key, List<Event>> partitions = new HashMap<>(events.size());
        for (Event each : events) {
            partitions.computeIfAbsent(new Key(each.userId, each.day), key -> new ArrayList<>(8)).add(each);
        }
        return partitions.values();
    }

    void writePartition(List<Event> rows, Acknowledgement done) throws InterruptedException {
        int from = 0;
        while (from < rows.size()) {
            List<BatchableStatement<?>> batch = new ArrayList<>(Math.min(rowsPerBatch, rows.size() - from));
            int bytes = 0;
            while (from < rows.size() && batch.size() < rowsPerBatch && bytes < bytesPerBatch) {
                Event row = rows.get(from++);
                bytes += size(row);
                batch.add(bind(row));
            }
            send(batch.size() == 1 ? (BoundStatement) batch.get(0)
                    : BatchStatement.newInstance(DefaultBatchType.UNLOGGED, batch), done);
        }
    }

    /** Writes a row for itself. */
    void writeSingle(Event row, Acknowledgement done) throws InterruptedException {
        send(bind(row), done);
    }

    void check() {
        Throwable error = failure.get();
        if (error != null) {
            throw new IllegalStateException("Cassandra did not take a write", error);
        }
    }

    private void send(Statement<?> statement, Acknowledgement done) throws InterruptedException {
        check();
        room.acquire();
        done.expect();
        session.executeAsync(statement).whenComplete((result, error) -> {
            room.release();
            if (error != null) {
                failure.compareAndSet(null, error);
            }
            done.arrived(error);
        });
    }

    private BoundStatement bind(Event row) {
        BoundStatementBuilder builder = insert.boundStatementBuilder();
        byte[][] cells = row.cells;
        for (int i = 0; i < cells.length; i++) {
            if (cells[i] != null) {
                builder.setBytesUnsafe(i, ByteBuffer.wrap(cells[i]));
            }
        }
        builder.setLong(writeTimeIndex, row.writeTime);
        return builder.build();
    }

    private static int size(Event row) {
        int size = 0;
        for (byte[] cell : row.cells) {
            size += 4 + (cell == null ? 0 : cell.length);
        }
        return size;
    }

    @Override
    public void close() {
        session.close();
    }
}
