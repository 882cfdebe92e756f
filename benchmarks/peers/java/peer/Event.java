package peer;

/** A transformed event: its row's cells as Cassandra takes them, and its JSON. */
final class Event {
    /** By the order of the fields; null where there is no value. */
    final byte[][] cells;
    final String userId;
    final int day;
    /** Microseconds. */
    final long writeTime;
    /** Null once it was sent: the rows wait longer. */
    byte[] json;

    Event(byte[][] cells, String userId, int day, long writeTime, byte[] json) {
        this.cells = cells;
        this.userId = userId;
        this.day = day;
        this.writeTime = writeTime;
        this.json = json;
    }
}
