package peer;

/** The settings that were tried; the defaults are the best found. Each can be set as {@code -Dpeer.name=value}. */
final class Tuning {
    final int chunk = Integer.getInteger("peer.chunk", 25_000);
    final int pipeline = Integer.getInteger("peer.pipeline", 2);
    final int inFlight = Integer.getInteger("peer.inFlight", 128);
    final int rowsPerBatch = Integer.getInteger("peer.rows", 64);
    final int bytesPerBatch = Integer.getInteger("peer.bytes", 32_768);
    final int connections = Integer.getInteger("peer.connections", 1);
    final String protocol = System.getProperty("peer.protocol", "V4");
    final int linger = Integer.getInteger("peer.linger", 20);
    final int producerBatch = Integer.getInteger("peer.producerBatch", 262_144);
}
