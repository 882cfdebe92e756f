package peer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A growing buffer of UTF-8 that knows how JSON is written. */
final class Out {
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    private byte[] buffer = new byte[4096];
    private int length;

    void clear() {
        length = 0;
    }

    int length() {
        return length;
    }

    byte[] toBytes() {
        return Arrays.copyOf(buffer, length);
    }

    void raw(byte[] bytes) {
        room(bytes.length);
        System.arraycopy(bytes, 0, buffer, length, bytes.length);
        length += bytes.length;
    }

    void raw(char ascii) {
        room(1);
        buffer[length++] = (byte) ascii;
    }

    void ascii(String text) {
        int size = text.length();
        room(size);
        text.getBytes(0, size, buffer, length);
        length += size;
    }

    /** A JSON string out of UTF-8, with its quotation marks. */
    void text(byte[] utf8) {
        room(6 * utf8.length + 2);
        byte[] out = buffer;
        int at = length;
        out[at++] = '"';
        for (byte b : utf8) {
            if (b != '"' && b != '\\' && (b >= 0x20 || b < 0)) {
                out[at++] = b;
            } else {
                at = escape(out, at, b);
            }
        }
        out[at++] = '"';
        length = at;
    }

    /** A JSON string out of characters, with its quotation marks. */
    void text(char[] chars, int from, int count) {
        room(6 * count + 2);
        byte[] out = buffer;
        int at = length;
        out[at++] = '"';
        for (int i = from, end = from + count; i < end; i++) {
            char c = chars[i];
            if (c >= 0x80) {
                length = at;
                byte[] rest = new String(chars, i, end - i).getBytes(StandardCharsets.UTF_8);
                at = length;
                for (byte b : rest) {
                    if (b != '"' && b != '\\' && (b >= 0x20 || b < 0)) {
                        out[at++] = b;
                    } else {
                        at = escape(out, at, b);
                    }
                }
                break;
            }
            if (c != '"' && c != '\\' && c >= 0x20) {
                out[at++] = (byte) c;
            } else {
                at = escape(out, at, (byte) c);
            }
        }
        out[at++] = '"';
        length = at;
    }

    /** A double as orjson writes it, where it has neither very many digits nor an exponent. */
    void number(double value) {
        ascii(Double.toString(value));
    }

    /** A moment as {@code "2026-11-21T09:00:00.123Z"}. */
    void moment(long ms) {
        room(26);
        buffer[length++] = '"';
        date(Math.floorDiv(ms, 86_400_000L));
        int rest = (int) Math.floorMod(ms, 86_400_000L);
        buffer[length++] = 'T';
        two(rest / 3_600_000);
        buffer[length++] = ':';
        two(rest / 60_000 % 60);
        buffer[length++] = ':';
        two(rest / 1000 % 60);
        buffer[length++] = '.';
        int millis = rest % 1000;
        buffer[length++] = (byte) ('0' + millis / 100);
        two(millis % 100);
        buffer[length++] = 'Z';
        buffer[length++] = '"';
    }

    /** A day since 1970 as {@code "2026-11-21"}. */
    void day(long days) {
        room(12);
        buffer[length++] = '"';
        date(days);
        buffer[length++] = '"';
    }

    private void date(long days) {
        // Civil from days, for years 0 to 9999.
        long z = days + 719_468;
        long era = z / 146_097;
        long dayOfEra = z - era * 146_097;
        long yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        long dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        long mp = (5 * dayOfYear + 2) / 153;
        int day = (int) (dayOfYear - (153 * mp + 2) / 5 + 1);
        int month = (int) (mp < 10 ? mp + 3 : mp - 9);
        int year = (int) (yearOfEra + era * 400 + (month <= 2 ? 1 : 0));
        two(year / 100);
        two(year % 100);
        buffer[length++] = '-';
        two(month);
        buffer[length++] = '-';
        two(day);
    }

    private void two(int number) {
        buffer[length++] = (byte) ('0' + number / 10);
        buffer[length++] = (byte) ('0' + number % 10);
    }

    private static int escape(byte[] out, int at, byte b) {
        out[at++] = '\\';
        switch (b) {
            case '"' -> out[at++] = '"';
            case '\\' -> out[at++] = '\\';
            case '\b' -> out[at++] = 'b';
            case '\t' -> out[at++] = 't';
            case '\n' -> out[at++] = 'n';
            case '\f' -> out[at++] = 'f';
            case '\r' -> out[at++] = 'r';
            default -> {
                out[at++] = 'u';
                out[at++] = '0';
                out[at++] = '0';
                out[at++] = HEX[b >> 4];
                out[at++] = HEX[b & 15];
            }
        }
        return at;
    }

    private void room(int more) {
        if (buffer.length - length < more) {
            buffer = Arrays.copyOf(buffer, Math.max(2 * buffer.length, length + more));
        }
    }
}
