package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The pipeline's tables and patterns, as the Python side exported them. Safe for many threads once loaded. */
final class Rules {
    /** A pattern of ua-parser, compiled when it is first tried. */
    static final class Named {
        private final String regex;
        private final String family;
        private final int flags;
        private volatile Pattern pattern;

        Named(String regex, String family, int flags) {
            this.regex = regex;
            this.family = family;
            this.flags = flags;
        }

        /** The family, or null where the pattern is not in the text. */
        String find(String text) {
            Pattern compiled = pattern;
            if (compiled == null) {
                pattern = compiled = Pattern.compile(regex, flags);
            }
            Matcher matcher = compiled.matcher(text);
            if (!matcher.find()) {
                return null;
            }
            String found = family;
            for (int group = 1; group <= Math.min(9, matcher.groupCount()); group++) {
                if (found.contains("$" + group)) {
                    String value = matcher.group(group);
                    found = found.replace("$" + group, value == null ? "" : value);
                }
            }
            return found.strip();
        }
    }

    final List<String> fields = new ArrayList<>();
    final List<String> kinds = new ArrayList<>();
    final Set<String> types;
    /** Keys of one level of a raw event. */
    record Keys(Set<String> known, Map<String, String> lower) {
        Keys(JsonNode node) {
            this(Rules.known(node), Rules.lower(node));
        }
    }

    final Keys top;
    final Keys context;
    final Keys page;
    final List<Named> browsers;
    final List<Named> systems;
    final List<Named> devices;
    final List<Pattern> crawlers = new ArrayList<>();
    final Set<String> desktops;
    final Set<String> phones;
    final List<String> tabletWords;
    final List<String> phoneWords;
    final List<String> tvWords;
    final Map<String, String[]> places = new HashMap<>();
    final List<String> clickIds;
    final Map<String, String> utm = new HashMap<>();
    final Pattern personal;
    final Pattern token;
    final Set<String> dropped;
    private final int[] starts;
    private final String[] countries;

    Rules(Path file) throws IOException {
        JsonNode root = new ObjectMapper().readTree(file.toFile());
        for (JsonNode each : root.get("fields")) {
            fields.add(each.get(0).asText());
            kinds.add(each.get(1).asText());
        }
        types = new HashSet<>(texts(root.get("types")));
        top = new Keys(root.get("top"));
        context = new Keys(root.get("context"));
        page = new Keys(root.get("page"));
        browsers = named(root.get("browsers"));
        systems = named(root.get("systems"));
        devices = named(root.get("devices"));
        List<String> patterns = texts(root.get("crawlers"));
        for (int i = 0; i < patterns.size(); i += 25) {
            crawlers.add(Pattern.compile(String.join("|", patterns.subList(i, Math.min(i + 25, patterns.size())))));
        }
        desktops = new HashSet<>(texts(root.get("desktops")));
        phones = new HashSet<>(texts(root.get("phones")));
        tabletWords = texts(root.get("tablet_words"));
        phoneWords = texts(root.get("phone_words"));
        tvWords = texts(root.get("tv_words"));
        root.get("places").fields().forEachRemaining(each ->
                places.put(each.getKey(), new String[] {each.getValue().get(0).asText(), each.getValue().get(1).asText()}));
        clickIds = texts(root.get("click_ids"));
        root.get("utm").fields().forEachRemaining(each -> utm.put(each.getKey(), each.getValue().asText()));
        personal = Pattern.compile(root.get("personal").asText(), Pattern.CASE_INSENSITIVE);
        token = Pattern.compile(root.get("token").asText(), Pattern.DOTALL);
        dropped = new HashSet<>(texts(root.get("dropped")));
        List<String> lines = Files.readAllLines(
                file.resolveSibling(root.get("countries").asText()), StandardCharsets.US_ASCII);
        starts = new int[lines.size()];
        countries = new String[lines.size()];
        Map<String, String> codes = new HashMap<>();
        for (int i = 0; i < starts.length; i++) {
            String line = lines.get(i);
            int tab = line.indexOf('\t');
            starts[i] = Integer.parseInt(line, 0, tab, 10);
            String code = line.substring(tab + 1);
            countries[i] = code.isEmpty() ? null : codes.computeIfAbsent(code, key -> key);
        }
    }

    /** The country of an IPv4 network /24, given as its three bytes; null where it has none. */
    String country(int network) {
        int low = 0;
        int high = starts.length - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (starts[middle] <= network) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return network < starts[0] ? null : countries[low];
    }

    private static List<Named> named(JsonNode node) {
        List<Named> found = new ArrayList<>();
        for (JsonNode each : node) {
            boolean folded = each.size() > 2 && "i".equals(each.get(2).asText(""));
            found.add(new Named(each.get(0).asText(), each.get(1).asText(), folded ? Pattern.CASE_INSENSITIVE : 0));
        }
        return found;
    }

    private static List<String> texts(JsonNode node) {
        List<String> found = new ArrayList<>();
        node.forEach(each -> found.add(each.asText()));
        return found;
    }

    /** Known keys by themselves. */
    private static Set<String> known(JsonNode node) {
        return new HashSet<>(texts(node));
    }

    /** Known keys by their lower case. */
    private static Map<String, String> lower(JsonNode node) {
        Map<String, String> found = new HashMap<>();
        node.forEach(each -> found.put(each.asText().toLowerCase(Locale.ROOT), each.asText()));
        return found;
    }
}
