package peer;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What can be known about an event without asking anybody: {@code clicktrail.enrich}, each distinct text worked on once. */
final class Enrich {
    record Client(byte[] browser, byte[] os, byte[] deviceType, boolean bot) {}

    record PageKey(String url, String path, String search) {}

    /** Site, path and kept query as cells; host and the query as it came for others. */
    record Page(String host, byte[] site, byte[] path, byte[] query, Campaign campaign) {}

    record Campaign(byte[] source, byte[] medium, byte[] name, byte[] term, byte[] content, byte[] clickIdType) {}

    record ReferrerKey(String address, String host) {}

    record Referrer(byte[] url, byte[] medium, byte[] source) {}

    record Address(byte[] network, byte[] country) {}

    private record Parts(String host, String path, String query) {}

    private static final int MOST = 65_536;
    private static final Client NO_CLIENT = new Client(null, null, null, false);
    private static final Campaign NO_CAMPAIGN = new Campaign(null, null, null, null, null, null);
    private static final Referrer DIRECT = new Referrer(null, bytes("direct"), null);
    private static final Address NOWHERE = new Address(null, null);
    private static final byte[] UNKNOWN_SITE = bytes("unknown");

    private final Rules rules;
    private final Map<String, Client> clients = new HashMap<>();
    private final Map<PageKey, Page> pages = new HashMap<>();
    private final Map<ReferrerKey, Referrer> referrers = new HashMap<>();
    private final Map<String, byte[]> countries = new HashMap<>();

    Enrich(Rules rules) {
        this.rules = rules;
    }

    static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    // --- user agents

    Client client(String text) {
        if (text == null || text.isBlank()) {
            return NO_CLIENT;
        }
        Client known = clients.get(text);
        if (known == null) {
            bound(clients).put(text, known = newClient(text.length() > 1024 ? text.substring(0, 1024) : text));
        }
        return known;
    }

    private Client newClient(String text) {
        String browser = first(rules.browsers, text, "Other");
        String system = first(rules.systems, text, "Other");
        boolean bot = "Spider".equals(first(rules.devices, text, ""))
                || rules.crawlers.stream().anyMatch(pattern -> pattern.matcher(text).find());
        return new Client(bytes(browser), bytes(system), bytes(bot ? "bot" : deviceType(text, system)), bot);
    }

    private String deviceType(String text, String system) {
        if (any(rules.tvWords, text)) {
            return "other";
        }
        if (!system.equals("Windows")
                && (any(rules.tabletWords, text) || (system.equals("Android") && !any(rules.phoneWords, text)))) {
            return "tablet";
        }
        if (rules.phones.contains(system) || any(rules.phoneWords, text)) {
            return "mobile";
        }
        return rules.desktops.contains(system) ? "desktop" : "other";
    }

    private static String first(List<Rules.Named> patterns, String text, String other) {
        for (Rules.Named each : patterns) {
            String found = each.find(text);
            if (found != null) {
                return found;
            }
        }
        return other;
    }

    private static boolean any(List<String> words, String text) {
        for (String word : words) {
            if (text.contains(word)) {
                return true;
            }
        }
        return false;
    }

    // --- pages

    Page page(String url, String path, String search) {
        PageKey key = new PageKey(url, path, search);
        Page known = pages.get(key);
        if (known == null) {
            bound(pages).put(key, known = newPage(url, path, search));
        }
        return known;
    }

    private Page newPage(String url, String path, String search) {
        Parts parts = split(url);
        Parts own = ownPath(path);
        String found = own.path.isEmpty() ? parts.path : own.path;
        if (found.isEmpty() && parts.host != null) {
            found = "/";
        }
        String query = bare(search);
        query = !query.isEmpty() ? query : !parts.query.isEmpty() ? parts.query : own.query;
        byte[] rooted = found.isEmpty() ? null : bytes(found.startsWith("/") ? found : "/" + found);
        byte[] site = rooted == null ? null : parts.host == null ? UNKNOWN_SITE : bytes(parts.host);
        return new Page(parts.host, site, rooted, query.isEmpty() ? null : withoutPersonal(query), campaignOf(query));
    }

    private static Parts split(String url) {
        if (url == null || url.isEmpty()) {
            return new Parts(null, "", "");
        }
        String text = url.strip();
        int mark = text.indexOf("://");
        String rest;
        if (text.startsWith("//")) {
            rest = text.substring(2);
        } else if (mark < 0 || firstOf(text.substring(0, mark)) >= 0) {
            return splitPath(text);
        } else {
            rest = text.substring(mark + 3);
        }
        int end = firstOf(rest);
        Parts parts = splitPath(end < 0 ? "" : rest.substring(end));
        return new Parts(host(end < 0 ? rest : rest.substring(0, end)), parts.path, parts.query);
    }

    private static int firstOf(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '/' || c == '?' || c == '#') {
                return i;
            }
        }
        return -1;
    }

    private static Parts ownPath(String path) {
        if (path == null || !path.startsWith("/") || path.startsWith("//")) {
            return split(path);
        }
        int mark = path.indexOf('?');
        return mark < 0 ? new Parts(null, path, "") : new Parts(null, path.substring(0, mark), path.substring(mark + 1));
    }

    private static Parts splitPath(String text) {
        String before = before(text.strip(), '#');
        int mark = before.indexOf('?');
        return mark < 0
                ? new Parts(null, before, "")
                : new Parts(null, before.substring(0, mark), before.substring(mark + 1));
    }

    private static String host(String authority) {
        String host = authority.substring(authority.lastIndexOf('@') + 1);
        host = host.startsWith("[") ? before(host.substring(1), ']') : before(host, ':');
        host = host.toLowerCase(Locale.ROOT);
        int from = 0;
        int to = host.length();
        while (from < to && host.charAt(from) == '.') {
            from++;
        }
        while (to > from && host.charAt(to - 1) == '.') {
            to--;
        }
        host = host.substring(from, to);
        boolean usable = !host.isEmpty() && host.length() <= 253 && host.chars().noneMatch(c -> c <= ' ' || c == 127);
        return usable ? host : null;
    }

    private static String bare(String search) {
        if (search == null || search.isEmpty()) {
            return "";
        }
        String text = search.strip();
        return before(text.startsWith("?") ? text.substring(1) : text, '#');
    }

    private byte[] withoutPersonal(String query) {
        List<String> kept = new ArrayList<>();
        int length = 0;
        for (String pair : query.split("&", -1)) {
            int mark = pair.indexOf('=');
            length += pair.length() + 1;
            if (length > 2048) {
                break;
            }
            String name = unquote(mark < 0 ? pair : pair.substring(0, mark));
            String value = mark < 0 ? "" : unquote(pair.substring(mark + 1));
            if (!pair.isEmpty() && !isPersonal(name, value)) {
                kept.add(pair);
            }
        }
        return kept.isEmpty() ? null : bytes(String.join("&", kept));
    }

    private boolean isPersonal(String name, String value) {
        return rules.dropped.contains(name.toLowerCase(Locale.ROOT))
                || rules.personal.matcher(name).find()
                || (!name.isEmpty() && rules.token.matcher(name.strip()).matches())
                || (!value.isEmpty() && rules.token.matcher(value.strip()).matches());
    }

    private static String unquote(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException broken) {
            return text.replace('+', ' ');
        }
    }

    // --- campaigns

    private Campaign campaignOf(String query) {
        if (query.isEmpty()) {
            return NO_CAMPAIGN;
        }
        Map<String, byte[]> values = new HashMap<>();
        Set<String> clicks = new HashSet<>();
        for (String pair : query.split("&", -1)) {
            int mark = pair.indexOf('=');
            String name = (mark < 0 ? pair : pair.substring(0, mark)).toLowerCase(Locale.ROOT);
            byte[] text = campaignText(mark < 0 ? "" : unquote(pair.substring(mark + 1)));
            if (text != null && rules.utm.containsKey(name)) {
                values.putIfAbsent(rules.utm.get(name), text);
            } else if (text != null && rules.clickIds.contains(name)) {
                clicks.add(name);
            }
        }
        String click = rules.clickIds.stream().filter(clicks::contains).findFirst().orElse(null);
        return new Campaign(values.get("source"), values.get("medium"), values.get("name"), values.get("term"),
                values.get("content"), bytes(click));
    }

    static byte[] campaignText(String text) {
        if (text == null) {
            return null;
        }
        String stripped = text.strip();
        if (stripped.isEmpty()) {
            return null;
        }
        return bytes(stripped.codePointCount(0, stripped.length()) > 255
                ? stripped.substring(0, stripped.offsetByCodePoints(0, 255))
                : stripped);
    }

    // --- referrers

    Referrer referrer(String address, String host) {
        if (address == null || address.isBlank()) {
            return DIRECT;
        }
        ReferrerKey key = new ReferrerKey(address, host);
        Referrer known = referrers.get(key);
        if (known == null) {
            bound(referrers).put(key, known = newReferrer(address, host));
        }
        return known;
    }

    private Referrer newReferrer(String address, String pageHost) {
        String host = split(address).host;
        byte[] url = bytes(plainUrl(address));
        if (host == null) {
            return new Referrer(url, bytes("other"), null);
        }
        if (pageHost != null && bareHost(host).equals(bareHost(pageHost))) {
            return new Referrer(url, bytes("internal"), bytes(host));
        }
        String[] place = place(host);
        return place == null
                ? new Referrer(url, bytes("other"), bytes(host))
                : new Referrer(url, bytes(place[0]), bytes(place[1]));
    }

    private static String plainUrl(String url) {
        Parts parts = split(url);
        String text = url.strip();
        int mark = text.indexOf("://");
        if (parts.host == null) {
            return mark >= 0 || parts.path.isEmpty() ? null : parts.path;
        }
        String host = parts.host.contains(":") ? "[" + parts.host + "]" : parts.host;
        return (mark >= 0 ? text.substring(0, mark).toLowerCase(Locale.ROOT) + "://" : "//") + host + parts.path;
    }

    private String[] place(String host) {
        String[] labels = host.split("\\.", -1);
        for (int start = 0; start < labels.length; start++) {
            String[] found = rules.places.get(String.join(".", Arrays.copyOfRange(labels, start, labels.length)));
            if (found != null) {
                return found;
            }
            int ending = labels.length - start - 1;
            boolean national = ending > 0 && ending <= 2;
            for (int i = start + 1; i < labels.length; i++) {
                national = national && labels[i].length() <= 3;
            }
            if (national && (found = rules.places.get(labels[start] + ".*")) != null) {
                return found;
            }
        }
        return null;
    }

    private static String bareHost(String host) {
        return host.startsWith("www.") ? host.substring(4) : host;
    }

    // --- addresses

    /** IPv4 addresses; others get no network, for the workload has none. */
    Address address(String ip) {
        if (ip == null) {
            return NOWHERE;
        }
        String text = before(before(ip, ',').strip(), '%');
        long packed = 0;
        int dots = 0;
        int number = -1;
        int lastDot = 0;
        for (int i = 0; i <= text.length(); i++) {
            char c = i < text.length() ? text.charAt(i) : '.';
            if (c == '.') {
                if (number < 0 || number > 255) {
                    return NOWHERE;
                }
                packed = packed << 8 | number;
                number = -1;
                dots++;
                lastDot = dots == 3 ? i : lastDot;
            } else if (c >= '0' && c <= '9') {
                number = Math.max(number, 0) * 10 + (c - '0');
                if (number > 255) {
                    return NOWHERE;
                }
            } else {
                return NOWHERE;
            }
        }
        if (dots != 4) {
            return NOWHERE;
        }
        byte[] network = new byte[lastDot + 5];
        text.getBytes(0, lastDot, network, 0);
        System.arraycopy(END_OF_NETWORK, 0, network, lastDot, 5);
        String country = isGlobal((int) packed) ? rules.country((int) (packed >>> 8)) : null;
        return new Address(network, country == null ? null : countries.computeIfAbsent(country, Enrich::bytes));
    }

    private static final byte[] END_OF_NETWORK = bytes(".0/24");

    private static boolean isGlobal(int ip) {
        int first = ip >>> 24;
        int second = ip >>> 16 & 255;
        return !(first == 0 || first == 10 || first == 127 || first >= 240
                || (first == 100 && second >= 64 && second < 128)
                || (first == 169 && second == 254)
                || (first == 172 && second >= 16 && second < 32)
                || (first == 192 && second == 168)
                || (first == 198 && (second == 18 || second == 19)));
    }

    private static String before(String text, char mark) {
        int at = text.indexOf(mark);
        return at < 0 ? text : text.substring(0, at);
    }

    private static <K, V> Map<K, V> bound(Map<K, V> cache) {
        if (cache.size() >= MOST) {
            cache.clear();
        }
        return cache;
    }
}
