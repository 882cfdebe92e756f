package peer;

import static peer.Enrich.bytes;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One record in, one transformed event or one rejection out: the rules of {@code clicktrail.job.decode}, with Jackson's
 * streaming parser. For one thread.
 */
final class Decoder {
    private static final int MAX_KEY = 65_535 - 64;
    private static final int ENVELOPE = 1024;
    private static final long YEAR_2000 = 946_684_800_000L;
    private static final long YEAR_10000 = 253_402_300_800_000L;
    private static final long DAY = 86_400_000L;
    private static final long TOLERANCE = 3_600_000L;

    /** Stands for a value that is an object or an array. */
    private enum Kind { OBJECT, ARRAY }

    /** {@code properties} or {@code traits}: what is read of it, and all of it as JSON. */
    private static final class Properties {
        Object kind;
        boolean empty;
        Object productId;
        Object category;
        Object price;
        Object quantity;
        Object orderId;
        Object revenue;
        Object total;
        Object currency;
        Object query;
        Object name;
        final Out json = new Out();

        void clear() {
            kind = productId = category = price = quantity = orderId = revenue = total = currency = query = name = null;
            empty = true;
            json.clear();
        }
    }

    private final Rules rules;
    private final Enrich enrich;
    private final int maxRecordBytes;
    private final JsonFactory factory = JsonFactory.builder()
            .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(100).build())
            .build();
    private final Out out = new Out();
    private final Names open = new Names();
    private final byte[][] names;
    private final char[] kinds;
    private final Properties properties = new Properties();
    private final Properties traits = new Properties();
    private final List<String> topKeys = new ArrayList<>();
    private final List<String> contextKeys = new ArrayList<>();
    private final List<String> pageKeys = new ArrayList<>();

    private Object type;
    private Object event;
    private Object name;
    private Object messageId;
    private Object anonymousId;
    private Object userId;
    private Object previousId;
    private Object timestamp;
    private Object sentAt;
    private Object context;
    private Object userAgent;
    private Object ip;
    private Object locale;
    private Object page;
    private Object url;
    private Object path;
    private Object referrer;
    private Object search;
    private Object title;
    private Object campaign;
    private boolean campaignGiven;
    private Object campaignSource;
    private Object campaignMedium;
    private Object campaignName;
    private Object campaignTerm;
    private Object campaignContent;

    Decoder(Rules rules, int maxRecordBytes) {
        this.rules = rules;
        this.maxRecordBytes = maxRecordBytes;
        enrich = new Enrich(rules);
        names = new byte[rules.fields.size()][];
        kinds = new char[names.length];
        for (int i = 0; i < names.length; i++) {
            names[i] = bytes(",\"" + rules.fields.get(i) + "\":");
            kinds[i] = switch (rules.kinds.get(i)) {
                case "text" -> 's';
                case "timestamp" -> 't';
                case "date" -> 'd';
                case "boolean" -> 'b';
                case "int" -> 'i';
                case "bigint" -> 'l';
                case "double" -> 'f';
                default -> throw new IllegalStateException("unknown kind " + rules.kinds.get(i));
            };
        }
    }

    Event decode(byte[] key, byte[] value, long receivedAt, byte[] topic, int partition, long offset) throws Rejected {
        int keySize = key == null ? 0 : key.length;
        if (keySize + (value == null ? 0 : value.length) > maxRecordBytes) {
            throw new Rejected("record_too_large", "the record has over " + maxRecordBytes + " bytes unpacked");
        }
        read(value);
        byte[][] cells = new byte[names.length][];
        String visitor = flatten(cells, receivedAt);
        cells[41] = topic;
        cells[42] = int32(partition);
        cells[43] = int64(offset);
        byte[] json = toJson(cells);
        if (json.length + keySize + ENVELOPE > maxRecordBytes) {
            throw new Rejected("record_too_large", "the event would have " + json.length + " bytes");
        }
        int day = getInt(cells[1]) ^ 0x80000000;
        return new Event(cells, visitor, day, receivedAt * 1000 + Math.floorMod(offset, 1000L), json);
    }

    private byte[] toJson(byte[][] cells) {
        out.clear();
        for (int i = 0; i < cells.length; i++) {
            byte[] cell = cells[i];
            if (cell == null) {
                continue;
            }
            out.raw(names[i]);
            switch (kinds[i]) {
                case 's' -> out.text(cell);
                case 't' -> out.moment(getLong(cell));
                case 'd' -> out.day(getInt(cell) ^ 0x80000000);
                case 'b' -> out.ascii(cell[0] == 0 ? "false" : "true");
                case 'i' -> out.ascii(Integer.toString(getInt(cell)));
                case 'l' -> out.ascii(Long.toString(getLong(cell)));
                default -> out.number(Double.longBitsToDouble(getLong(cell)));
            }
        }
        out.raw('}');
        byte[] json = out.toBytes();
        json[0] = '{'; // in place of the first comma
        return json;
    }

    // --- reading

    private void read(byte[] value) throws Rejected {
        if (value == null) {
            throw new Rejected("null_value", "the record has no value");
        }
        if (isBlank(value)) {
            throw new Rejected("empty_value", "the record's value is empty");
        }
        open.clear();
        try (JsonParser parser = factory.createParser(value)) {
            JsonToken first = parser.nextToken();
            if (first == JsonToken.START_OBJECT) {
                readTop(parser);
            } else {
                skip(parser);
            }
            try {
                if (parser.nextToken() != null) {
                    throw new Rejected("trailing_data", "something stands behind the first JSON value");
                }
            } catch (IOException behind) {
                throw new Rejected("trailing_data", "something stands behind the first JSON value");
            }
            if (first != JsonToken.START_OBJECT) {
                throw new Rejected("not_an_object", "the value is JSON, but not an object");
            }
        } catch (StreamConstraintsException error) {
            String reason = error.getMessage().contains("depth") ? "too_deep" : "number_out_of_range";
            throw new Rejected(reason, error.getOriginalMessage());
        } catch (JsonEOFException error) {
            throw new Rejected("truncated_json", "the JSON ends too early: " + error.getOriginalMessage());
        } catch (JsonParseException error) {
            String said = error.getOriginalMessage();
            String reason = said.startsWith("Invalid UTF-8") ? "invalid_utf8"
                    : said.startsWith("Non-standard token") ? "not_a_number"
                    : "not_json";
            throw new Rejected(reason, said);
        } catch (IOException error) {
            throw new Rejected("not_json", String.valueOf(error.getMessage()));
        }
    }

    private static boolean isBlank(byte[] value) {
        for (byte b : value) {
            if (b != ' ' && (b < '\t' || b > '\r')) {
                return false;
            }
        }
        return true;
    }

    private void readTop(JsonParser p) throws IOException, Rejected {
        open.clear();
        open.open();
        type = event = name = messageId = anonymousId = userId = previousId = timestamp = sentAt = context = null;
        userAgent = ip = locale = page = url = path = referrer = search = title = campaign = null;
        campaignGiven = false;
        campaignSource = campaignMedium = campaignName = campaignTerm = campaignContent = null;
        properties.clear();
        traits.clear();
        topKeys.clear();
        contextKeys.clear();
        pageKeys.clear();
        while (p.nextToken() != JsonToken.END_OBJECT) {
            String key = p.currentName();
            open.add(key);
            topKeys.add(key);
            p.nextToken();
            switch (key) {
                case "type" -> type = value(p);
                case "event" -> event = value(p);
                case "name" -> name = value(p);
                case "messageId" -> messageId = value(p);
                case "anonymousId" -> anonymousId = value(p);
                case "userId" -> userId = value(p);
                case "previousId" -> previousId = value(p);
                case "timestamp" -> timestamp = value(p);
                case "sentAt" -> sentAt = value(p);
                case "context" -> {
                    if (p.currentToken() == JsonToken.START_OBJECT) {
                        context = Kind.OBJECT;
                        readContext(p);
                    } else {
                        context = value(p);
                    }
                }
                case "properties" -> readProperties(p, properties);
                case "traits" -> readProperties(p, traits);
                default -> skip(p);
            }
        }
        open.close();
    }

    private void readContext(JsonParser p) throws IOException, Rejected {
        open.open();
        while (p.nextToken() != JsonToken.END_OBJECT) {
            String key = p.currentName();
            open.add(key);
            contextKeys.add(key);
            JsonToken token = p.nextToken();
            switch (key) {
                case "userAgent" -> userAgent = value(p);
                case "ip" -> ip = value(p);
                case "locale" -> locale = value(p);
                case "page" -> {
                    if (token == JsonToken.START_OBJECT) {
                        page = Kind.OBJECT;
                        readPage(p);
                    } else {
                        page = value(p);
                    }
                }
                case "campaign" -> {
                    if (token == JsonToken.START_OBJECT) {
                        campaign = Kind.OBJECT;
                        readCampaign(p);
                    } else {
                        campaign = value(p);
                    }
                }
                default -> skip(p);
            }
        }
        open.close();
    }

    private void readPage(JsonParser p) throws IOException, Rejected {
        open.open();
        while (p.nextToken() != JsonToken.END_OBJECT) {
            String key = p.currentName();
            open.add(key);
            pageKeys.add(key);
            p.nextToken();
            switch (key) {
                case "url" -> url = value(p);
                case "path" -> path = value(p);
                case "referrer" -> referrer = value(p);
                case "search" -> search = value(p);
                case "title" -> title = value(p);
                default -> skip(p);
            }
        }
        open.close();
    }

    private void readCampaign(JsonParser p) throws IOException, Rejected {
        open.open();
        while (p.nextToken() != JsonToken.END_OBJECT) {
            String key = p.currentName();
            open.add(key);
            campaignGiven = true;
            p.nextToken();
            switch (key) {
                case "source" -> campaignSource = value(p);
                case "medium" -> campaignMedium = value(p);
                case "name" -> campaignName = value(p);
                case "term" -> campaignTerm = value(p);
                case "content" -> campaignContent = value(p);
                default -> skip(p);
            }
        }
        open.close();
    }

    private void readProperties(JsonParser p, Properties into) throws IOException, Rejected {
        if (p.currentToken() != JsonToken.START_OBJECT) {
            into.kind = value(p);
            return;
        }
        into.kind = Kind.OBJECT;
        open.open();
        Out json = into.json;
        json.raw('{');
        while (p.nextToken() != JsonToken.END_OBJECT) {
            if (!into.empty) {
                json.raw(',');
            }
            into.empty = false;
            String key = p.currentName();
            open.add(key);
            json.text(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
            json.raw(':');
            p.nextToken();
            switch (key) {
                case "product_id" -> into.productId = copied(p, json);
                case "category" -> into.category = copied(p, json);
                case "price" -> into.price = copied(p, json);
                case "quantity" -> into.quantity = copied(p, json);
                case "order_id" -> into.orderId = copied(p, json);
                case "revenue" -> into.revenue = copied(p, json);
                case "total" -> into.total = copied(p, json);
                case "currency" -> into.currency = copied(p, json);
                case "query" -> into.query = copied(p, json);
                case "name" -> into.name = copied(p, json);
                default -> copy(p, json);
            }
        }
        json.raw('}');
        open.close();
    }

    private Object copied(JsonParser p, Out json) throws IOException, Rejected {
        copy(p, json);
        return switch (p.currentToken()) {
            case END_OBJECT -> Kind.OBJECT;
            case END_ARRAY -> Kind.ARRAY;
            default -> value(p);
        };
    }

    /** Writes the current value again, as compact JSON. */
    private void copy(JsonParser p, Out json) throws IOException, Rejected {
        switch (p.currentToken()) {
            case VALUE_STRING -> json.text(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
            case VALUE_NUMBER_INT -> {
                whole(p);
                json.ascii(p.getText());
            }
            case VALUE_NUMBER_FLOAT -> json.number(fraction(p));
            case VALUE_TRUE -> json.ascii("true");
            case VALUE_FALSE -> json.ascii("false");
            case VALUE_NULL -> json.ascii("null");
            case START_OBJECT -> {
                json.raw('{');
                open.open();
                boolean first = true;
                while (p.nextToken() != JsonToken.END_OBJECT) {
                    if (!first) {
                        json.raw(',');
                    }
                    first = false;
                    open.add(p.currentName());
                    json.text(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
                    json.raw(':');
                    p.nextToken();
                    copy(p, json);
                }
                open.close();
                json.raw('}');
            }
            case START_ARRAY -> {
                json.raw('[');
                boolean first = true;
                while (p.nextToken() != JsonToken.END_ARRAY) {
                    if (!first) {
                        json.raw(',');
                    }
                    first = false;
                    copy(p, json);
                }
                json.raw(']');
            }
            default -> throw new Rejected("not_json", "unexpected " + p.currentToken());
        }
    }

    private Object value(JsonParser p) throws IOException, Rejected {
        return switch (p.currentToken()) {
            case VALUE_STRING -> p.getText();
            case VALUE_NUMBER_INT -> whole(p);
            case VALUE_NUMBER_FLOAT -> fraction(p);
            case VALUE_TRUE -> Boolean.TRUE;
            case VALUE_FALSE -> Boolean.FALSE;
            case VALUE_NULL -> null;
            case START_OBJECT -> {
                skip(p);
                yield Kind.OBJECT;
            }
            case START_ARRAY -> {
                skip(p);
                yield Kind.ARRAY;
            }
            default -> throw new Rejected("not_json", "unexpected " + p.currentToken());
        };
    }

    private static long whole(JsonParser p) throws IOException, Rejected {
        if (p.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
            throw new Rejected("number_out_of_range", "an integer does not fit into 64 bits");
        }
        return p.getLongValue();
    }

    private static double fraction(JsonParser p) throws IOException, Rejected {
        double value = p.getDoubleValue();
        if (Double.isInfinite(value)) {
            throw new Rejected("number_out_of_range", "a number does not fit into a double");
        }
        return value;
    }

    /** Passes over the current value, looking at each number in it. */
    private void skip(JsonParser p) throws IOException, Rejected {
        int depth = 0;
        JsonToken token = p.currentToken();
        while (true) {
            switch (token) {
                case START_OBJECT -> {
                    depth++;
                    open.open();
                }
                case END_OBJECT -> {
                    depth--;
                    open.close();
                }
                case START_ARRAY -> depth++;
                case END_ARRAY -> depth--;
                case FIELD_NAME -> open.add(p.currentName());
                case VALUE_NUMBER_INT -> whole(p);
                case VALUE_NUMBER_FLOAT -> fraction(p);
                default -> { }
            }
            if (depth == 0) {
                return;
            }
            token = p.nextToken();
        }
    }

    // --- validating and flattening, in the order of the Python rules

    private String flatten(byte[][] cells, long receivedAt) throws Rejected {
        checkCase(topKeys, rules.top, "");
        String kind = text(type, "type");
        if (kind == null || !rules.types.contains(kind)) {
            throw new Rejected("unknown_type", kind == null ? "type is missing" : "type " + kind + " is unknown");
        }
        String id = key(messageId, "messageId", "missing_message_id");
        String visitor = visitor();
        if (timestamp == null) {
            throw new Rejected("missing_timestamp", "timestamp is missing");
        }
        long moment = milliseconds(timestamp, "timestamp");
        if (moment < YEAR_2000) {
            throw new Rejected("time_before_2000", "timestamp is before 2000");
        }
        if (moment > receivedAt + TOLERANCE) {
            throw new Rejected("time_in_future", "timestamp is over an hour after the broker's time");
        }
        cells[0] = bytes(visitor);
        cells[1] = int32((int) Math.floorDiv(moment, DAY) ^ 0x80000000);
        cells[2] = int64(moment);
        cells[3] = bytes(id);
        cells[4] = bytes(kind);
        String eventName = text(event, "event");
        cells[5] = bytes(eventName != null ? eventName : text(name, "name"));
        cells[6] = bytes(text(anonymousId, "anonymousId"));
        cells[7] = bytes(text(previousId, "previousId"));
        cells[8] = int64(receivedAt);
        cells[9] = sentAt();
        object(context, "context");
        addContext(cells);
        object(properties.kind, "properties");
        if (properties.empty) {
            object(traits.kind, "traits");
        }
        addProperties(cells, properties.empty ? traits : properties);
        return visitor;
    }

    private void addContext(byte[][] cells) throws Rejected {
        checkCase(contextKeys, rules.context, "context.");
        object(page, "context.page");
        checkCase(pageKeys, rules.page, "context.page.");
        Enrich.Page where = enrich.page(
                text(url, "context.page.url"), text(path, "context.page.path"), text(search, "context.page.search"));
        if (where.path() != null) {
            cells[10] = where.site();
            cells[11] = where.path();
            if (where.site().length + where.path().length > MAX_KEY) {
                throw new Rejected("key_too_long", "the page's site and path are too long");
            }
        }
        cells[12] = where.query();
        cells[13] = bytes(text(title, "context.page.title"));
        Enrich.Referrer from = enrich.referrer(text(referrer, "context.page.referrer"), where.host());
        cells[14] = from.url();
        cells[15] = from.medium();
        cells[16] = from.source();
        addCampaign(cells, where.campaign());
        String agent = text(userAgent, "context.userAgent");
        Enrich.Client client = enrich.client(agent);
        cells[23] = bytes(agent);
        cells[24] = client.browser();
        cells[25] = client.os();
        cells[26] = client.deviceType();
        cells[27] = client.bot() ? TRUE : FALSE;
        Enrich.Address address = enrich.address(text(ip, "context.ip"));
        cells[28] = address.network();
        cells[29] = address.country();
        cells[30] = bytes(text(locale, "context.locale"));
    }

    private void addCampaign(byte[][] cells, Enrich.Campaign found) throws Rejected {
        object(campaign, "context.campaign");
        cells[17] = found.source();
        cells[18] = found.medium();
        cells[19] = found.name();
        cells[20] = found.term();
        cells[21] = found.content();
        cells[22] = found.clickIdType();
        if (campaignGiven) {
            given(cells, 17, text(campaignSource, "context.campaign.source"));
            given(cells, 18, text(campaignMedium, "context.campaign.medium"));
            given(cells, 19, text(campaignName, "context.campaign.name"));
            given(cells, 20, text(campaignTerm, "context.campaign.term"));
            given(cells, 21, text(campaignContent, "context.campaign.content"));
        }
    }

    private static void given(byte[][] cells, int index, String text) {
        byte[] value = Enrich.campaignText(text);
        if (value != null) {
            cells[index] = value;
        }
    }

    private static void addProperties(byte[][] cells, Properties given) throws Rejected {
        if (given.empty) {
            return;
        }
        cells[31] = bytes(identifier(given.productId, "product_id"));
        cells[33] = bytes(text(given.category, "properties.category"));
        cells[34] = number(given.price, "price");
        cells[35] = quantity(given.quantity);
        cells[36] = bytes(identifier(given.orderId, "order_id"));
        byte[] revenue = number(given.revenue, "revenue");
        cells[37] = revenue != null ? revenue : number(given.total, "total");
        cells[38] = bytes(text(given.currency, "properties.currency"));
        cells[39] = bytes(text(given.query, "properties.query"));
        if (cells[31] != null) {
            cells[32] = bytes(text(given.name, "properties.name"));
        }
        cells[40] = given.json.toBytes();
    }

    private String visitor() throws Rejected {
        if (userId == null && anonymousId == null) {
            throw new Rejected("missing_visitor", "neither userId nor anonymousId is there");
        }
        boolean byUser = anonymousId == null || (userId != null && !"".equals(userId));
        return byUser
                ? key(userId, "userId", "missing_visitor")
                : key(anonymousId, "anonymousId", "missing_visitor");
    }

    private static String key(Object value, String name, String missing) throws Rejected {
        if (value == null) {
            throw new Rejected(missing, name + " is missing");
        }
        if (!(value instanceof String text)) {
            throw new Rejected("wrong_type", name + " must be a text");
        }
        if (text.isEmpty()) {
            throw new Rejected("empty_key", name + " is empty");
        }
        if (text.length() > 16_000 && text.getBytes(StandardCharsets.UTF_8).length > MAX_KEY) {
            throw new Rejected("key_too_long", name + " is longer than " + MAX_KEY + " bytes");
        }
        return text;
    }

    private static void checkCase(List<String> keys, Rules.Keys known, String where) throws Rejected {
        for (int i = 0; i < keys.size(); i++) {
            String key = keys.get(i);
            if (known.known().contains(key)) {
                continue;
            }
            String meant = known.lower().get(key.toLowerCase(Locale.ROOT));
            if (meant != null && !keys.contains(meant)) {
                throw new Rejected("wrong_case", "the key " + where + key + " must be written " + where + meant);
            }
        }
    }

    private static String text(Object value, String name) throws Rejected {
        if (value == null) {
            return null;
        }
        if (value instanceof String text) {
            return text.isEmpty() ? null : text;
        }
        throw new Rejected("wrong_type", name + " must be a text");
    }

    private static void object(Object value, String name) throws Rejected {
        if (value != null && value != Kind.OBJECT) {
            throw new Rejected("wrong_type", name + " must be an object");
        }
    }

    private static String identifier(Object value, String name) throws Rejected {
        return value instanceof Long number ? Long.toString(number) : text(value, "properties." + name);
    }

    private static byte[] number(Object value, String name) throws Rejected {
        if (value == null) {
            return null;
        }
        if (value instanceof Double number) {
            return int64(Double.doubleToRawLongBits(number));
        }
        if (value instanceof Long number) {
            return int64(Double.doubleToRawLongBits(number.doubleValue()));
        }
        throw new Rejected("wrong_type", "properties." + name + " must be a number");
    }

    private static byte[] quantity(Object value) throws Rejected {
        byte[] bits = number(value, "quantity");
        if (bits == null) {
            return null;
        }
        double number = Double.longBitsToDouble(getLong(bits));
        if (number != Math.floor(number)) {
            throw new Rejected("wrong_type", "properties.quantity must be a whole number");
        }
        if (number < Integer.MIN_VALUE || number > Integer.MAX_VALUE) {
            throw new Rejected("number_out_of_range", "properties.quantity does not fit into 32 bits");
        }
        return int32((int) number);
    }

    private byte[] sentAt() throws Rejected {
        if (sentAt == null) {
            return null;
        }
        try {
            long moment = milliseconds(sentAt, "sentAt");
            return moment >= YEAR_2000 && moment < YEAR_10000 ? int64(moment) : null;
        } catch (Rejected rejected) {
            if (rejected.reason.equals("wrong_type")) {
                throw rejected;
            }
            return null;
        }
    }

    // --- times

    private static long milliseconds(Object value, String name) throws Rejected {
        if (value instanceof String text) {
            return fromText(text, name);
        }
        if (value instanceof Long || value instanceof Double) {
            double number = ((Number) value).doubleValue();
            if (number > 0 && number < 100_000_000_000.0) {
                throw new Rejected("time_in_seconds", name + " is in seconds; milliseconds are wanted");
            }
            return ((Number) value).longValue();
        }
        throw new Rejected("wrong_type", name + " must be a text or a number");
    }

    private static long fromText(String text, String name) throws Rejected {
        if (text.length() == 24 && text.charAt(23) == 'Z' && text.charAt(19) == '.' && text.charAt(10) == 'T') {
            int year = digits(text, 0, 4);
            int month = digits(text, 5, 7);
            int day = digits(text, 8, 10);
            int hour = digits(text, 11, 13);
            int minute = digits(text, 14, 16);
            int second = digits(text, 17, 19);
            int millis = digits(text, 20, 23);
            boolean plain = (year | month | day | hour | minute | second | millis) >= 0 && month >= 1 && month <= 12
                    && day >= 1 && day <= 28 && hour < 24 && minute < 60 && second < 60
                    && text.charAt(4) == '-' && text.charAt(7) == '-' && text.charAt(13) == ':' && text.charAt(16) == ':';
            if (plain) {
                return daysFromCivil(year, month, day) * DAY
                        + hour * 3_600_000L + minute * 60_000L + second * 1000L + millis;
            }
        }
        try {
            if (text.length() == 10) {
                return LocalDate.parse(text).toEpochDay() * DAY;
            }
            boolean zoned = text.endsWith("Z") || text.lastIndexOf('+') > 10 || text.lastIndexOf('-') > 10;
            return (zoned ? OffsetDateTime.parse(text) : LocalDateTime.parse(text).atOffset(ZoneOffset.UTC))
                    .toInstant().toEpochMilli();
        } catch (DateTimeException unreadable) {
            throw new Rejected("unreadable_time", name + " is no ISO 8601 time");
        }
    }

    private static int digits(String text, int from, int to) {
        int number = 0;
        for (int i = from; i < to; i++) {
            int digit = text.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                return -1;
            }
            number = number * 10 + digit;
        }
        return number;
    }

    private static long daysFromCivil(int year, int month, int day) {
        long y = month <= 2 ? year - 1 : year;
        long era = y / 400;
        long yearOfEra = y - era * 400;
        long dayOfYear = (153L * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468;
    }

    // --- cells

    private static final byte[] TRUE = {1};
    private static final byte[] FALSE = {0};

    private static byte[] int32(int value) {
        return new byte[] {(byte) (value >>> 24), (byte) (value >>> 16), (byte) (value >>> 8), (byte) value};
    }

    private static byte[] int64(long value) {
        return new byte[] {
            (byte) (value >>> 56), (byte) (value >>> 48), (byte) (value >>> 40), (byte) (value >>> 32),
            (byte) (value >>> 24), (byte) (value >>> 16), (byte) (value >>> 8), (byte) value
        };
    }

    private static int getInt(byte[] cell) {
        return cell[0] << 24 | (cell[1] & 255) << 16 | (cell[2] & 255) << 8 | (cell[3] & 255);
    }

    private static long getLong(byte[] cell) {
        long value = 0;
        for (int i = 0; i < 8; i++) {
            value = value << 8 | (cell[i] & 255);
        }
        return value;
    }
}
