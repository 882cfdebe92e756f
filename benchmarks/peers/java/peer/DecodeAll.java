package peer;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Decodes a file of records without any server, to be compared with Python's; says how long a warm decoder takes. */
public final class DecodeAll {
    private static final long RECEIVED_AT = 1_900_000_000_000L;

    private DecodeAll() {}

    public static void main(String[] args) throws Exception {
        List<byte[][]> records = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(Files.newInputStream(Path.of(args[0])))) {
            while (true) {
                records.add(new byte[][] {next(in), next(in)});
            }
        } catch (EOFException end) {
            // all are read
        }
        Decoder decoder = new Decoder(Job.rules(), 1_048_576);
        try (OutputStream out = new BufferedOutputStream(new FileOutputStream(args[1]))) {
            for (int i = 0; i < records.size(); i++) {
                out.write(decode(decoder, records.get(i), i));
                out.write('\n');
            }
        }
        long began = System.nanoTime();
        for (int i = 0; i < records.size(); i++) {
            decode(decoder, records.get(i), i);
        }
        System.out.println((System.nanoTime() - began) / records.size());
    }

    private static byte[] decode(Decoder decoder, byte[][] record, int offset) {
        try {
            return decoder.decode(record[0], record[1], RECEIVED_AT, Enrich.bytes("topic"), 1, offset).json;
        } catch (Rejected rejected) {
            return Enrich.bytes("!" + rejected.reason);
        }
    }

    private static byte[] next(DataInputStream in) throws IOException {
        int size = in.readInt();
        return size < 0 ? null : in.readNBytes(size);
    }
}
