package peer;

/** A record that cannot become an event. */
final class Rejected extends Exception {
    final String reason;

    Rejected(String reason, String detail) {
        super(detail, null, false, false);
        this.reason = reason;
    }
}
