package org.imagegate.cps;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds files by patterns such as {@code reports/**}, separated by commas, as Ant does. */
final class AntPattern {
    private AntPattern() {
    }

    /**
     * Gives the files below a directory that an include pattern matches and no exclude pattern, as paths
     * relative to it, in order.
     */
    static List<Path> find(Path directory, String includes, String excludes) throws IOException {
        List<Pattern> wanted = patterns(includes);
        List<Pattern> unwanted = patterns(excludes == null ? "" : excludes);
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> !Files.isDirectory(file)).map(directory::relativize)
                .filter(file -> matches(wanted, file) && !matches(unwanted, file)).sorted().toList();
        }
    }

    private static boolean matches(List<Pattern> patterns, Path file) {
        return patterns.stream().anyMatch(pattern -> pattern.matcher(file.toString()).matches());
    }

    private static List<Pattern> patterns(String text) {
        List<Pattern> patterns = new ArrayList<>();
        for (String part : text.split(",")) {
            if (!part.isBlank()) {
                patterns.add(pattern(part.trim()));
            }
        }
        return patterns;
    }

    private static Pattern pattern(String ant) {
        String text = ant.startsWith("./") ? ant.substring(2) : ant;
        if (text.endsWith("/")) {
            text += "**";
        }
        StringBuilder regex = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            if (text.startsWith("**/", i)) {
                regex.append("(?:.*/)?");
                i += 2;
            } else if (text.startsWith("**", i)) {
                regex.append(".*");
                i++;
            } else if (text.charAt(i) == '*') {
                regex.append("[^/]*");
            } else if (text.charAt(i) == '?') {
                regex.append("[^/]");
            } else {
                regex.append(Pattern.quote(text.substring(i, i + 1)));
            }
        }
        return Pattern.compile(regex.toString());
    }
}
