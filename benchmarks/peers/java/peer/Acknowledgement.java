package peer;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** Counts what a chunk of records still waits for, in Cassandra and in Kafka alike. */
final class Acknowledgement {
    private final AtomicInteger open = new AtomicInteger(1);
    private final CountDownLatch done = new CountDownLatch(1);
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    void expect() {
        open.incrementAndGet();
    }

    void arrived(Throwable error) {
        if (error != null) {
            failure.compareAndSet(null, error);
        }
        if (open.decrementAndGet() == 0) {
            done.countDown();
        }
    }

    /** Nothing more will be expected. */
    void complete() {
        arrived(null);
    }

    boolean isDone() {
        return done.getCount() == 0;
    }

    /** Waits for all; throws what went wrong. */
    void await() throws InterruptedException {
        done.await();
        if (failure.get() != null) {
            throw new IllegalStateException("a write failed; its offsets are not committed", failure.get());
        }
    }
}
