package peer;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/** The keys of the objects that are open, to find one that stands twice: a few keys are compared faster than hashed. */
final class Names {
    private static final int FEW = 24;

    private static final class Level {
        String[] names = new String[FEW];
        int count;
        Set<String> many;
    }

    private Level[] levels = new Level[8];
    private int depth = -1;

    Names() {
        for (int i = 0; i < levels.length; i++) {
            levels[i] = new Level();
        }
    }

    void clear() {
        depth = -1;
    }

    void open() {
        if (++depth == levels.length) {
            levels = Arrays.copyOf(levels, 2 * depth);
            for (int i = depth; i < levels.length; i++) {
                levels[i] = new Level();
            }
        }
        levels[depth].count = 0;
        levels[depth].many = null;
    }

    void close() {
        depth--;
    }

    void add(String name) throws Rejected {
        Level level = levels[depth];
        if (level.many != null) {
            if (!level.many.add(name)) {
                throw twice(name);
            }
            return;
        }
        String[] names = level.names;
        int count = level.count;
        for (int i = 0; i < count; i++) {
            if (names[i].equals(name)) {
                throw twice(name);
            }
        }
        if (count == FEW) {
            level.many = new HashSet<>(Arrays.asList(names));
            level.many.add(name);
            return;
        }
        names[count] = name;
        level.count = count + 1;
    }

    private static Rejected twice(String name) {
        return new Rejected("duplicate_keys", "the key " + name + " stands twice in one object");
    }
}
