package org.imagegate.cps;

import java.util.ArrayList;
import java.util.List;

/** The console log of a build. Steps outside of the program write to it at the same time. */
final class Log {
    private static final String MASK = "****";

    private final List<String> lines = new ArrayList<>();

    /** Writes lines from inside the blocks of a context: secrets masked, the branch in front. */
    void line(StepContext context, String text) {
        String prefix = context.branch == null ? "" : "[" + context.branch + "] ";
        for (String line : mask(context, text).split("\n", -1)) {
            add(prefix + line);
        }
    }

    /** Writes a line from outside of all blocks. */
    synchronized void add(String line) {
        lines.add(line);
    }

    /** Gives the text with the secrets of the context replaced, the longest first. */
    static String mask(StepContext context, String text) {
        String masked = text;
        List<String> secrets = new ArrayList<>(context.secrets());
        secrets.sort((one, other) -> other.length() - one.length());
        for (String secret : secrets) {
            if (!secret.isEmpty()) {
                masked = masked.replace(secret, MASK);
            }
        }
        return masked;
    }

    /** Gives all lines so far. */
    synchronized List<String> lines() {
        return new ArrayList<>(lines);
    }
}
