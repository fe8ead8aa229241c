package org.imagegate.cps;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The Groovy that a build runs: the harness's own, the library's and the Jenkinsfile, as byte code. */
final class Sources {
    static final String MAIN = "WorkflowScript";
    static final String LIBRARY = "imagegate";
    private static final Pattern ANNOTATION = Pattern.compile("@Library\\s*\\(([^)]*)\\)");
    private static final Pattern NAME = Pattern.compile("['\"]([^'\"]+)['\"]");
    private static final Pattern STEP = Pattern.compile("(?m)^[^/\\n]*\\blibrary\\s*[('\"]");
    /** Byte code is the same for all builds of a run that use the same files. */
    private static final Map<String, Map<String, byte[]>> COMPILED = new HashMap<>();

    final Map<String, byte[]> classes = new LinkedHashMap<>();
    final Set<String> libraryVariables;
    /** Whether the library is there from the start, and not only once the step {@code library} has run. */
    final boolean loadedAtStart;

    /** Compiles all that the scenario names; a library that the Jenkinsfile wants and that is unknown throws. */
    Sources(Scenario scenario) throws IOException {
        String text = text(scenario.jenkinsfile());
        boolean wanted = wanted(scenario, text);
        loadedAtStart = scenario.library() != null && (wanted || !STEP.matcher(text).find());
        boolean sandbox = scenario.sandbox();
        Map<String, byte[]> own = compiled("own", own(), Map.of(), false);
        classes.putAll(own);
        Map<String, byte[]> library = Map.of();
        libraryVariables = new TreeSet<>();
        if (scenario.library() != null) {
            library = library(scenario.library(), own, sandbox);
        }
        Map<String, byte[]> earlier = new LinkedHashMap<>(own);
        if (loadedAtStart) {
            earlier.putAll(library);
        }
        classes.putAll(library);
        classes.putAll(Compiler.compile(Map.of(MAIN + ".groovy", text), earlier, sandbox));
    }

    private static synchronized Map<String, byte[]> compiled(String key, Map<String, String> sources,
                                                             Map<String, byte[]> earlier, boolean sandbox) {
        return COMPILED.computeIfAbsent(key + sources.hashCode(),
            absent -> Compiler.compile(sources, earlier, sandbox));
    }

    private static boolean wanted(Scenario scenario, String text) {
        boolean wanted = false;
        Matcher annotation = ANNOTATION.matcher(text);
        while (annotation.find()) {
            Matcher name = NAME.matcher(annotation.group(1));
            while (name.find()) {
                check(scenario, name.group(1));
                wanted = true;
            }
        }
        return wanted;
    }

    /** Throws where there is no library of that identifier (name, perhaps @ and version). */
    static void check(Scenario scenario, String identifier) {
        String name = identifier.split("@", 2)[0];
        if (scenario.library() == null || !name.equals(LIBRARY)) {
            throw new IllegalArgumentException("Could not find any definition of libraries [" + identifier + "]");
        }
    }

    private static Map<String, String> own() throws IOException {
        Map<String, String> sources = new LinkedHashMap<>();
        for (String name : new String[] {"pipeline", "docker", "DockerImage", "DeclarativeModel",
                                         "DeclarativeRunner", "DeclarativeWhen", "DeclarativeAgent",
                                         "DeclarativeScope", "DeclarativePost"}) {
            try (InputStream in = Sources.class.getResourceAsStream("/org/imagegate/cps/" + name + ".groovy")) {
                sources.put(name + ".groovy", new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
        }
        return sources;
    }

    /**
     * Compiles the classes of src together and then each variable by itself: Groovy takes the name of a
     * class of the same compilation for that class even where it is meant to be a variable.
     */
    private Map<String, byte[]> library(Path directory, Map<String, byte[]> own, boolean sandbox) throws IOException {
        Map<String, String> sources = new LinkedHashMap<>();
        for (Path file : groovyFiles(directory.resolve("src"), Integer.MAX_VALUE)) {
            sources.put(directory.resolve("src").relativize(file).toString(), text(file));
        }
        Map<String, byte[]> library = new LinkedHashMap<>(compiled("src " + sandbox, sources, own, sandbox));
        Map<String, byte[]> earlier = new LinkedHashMap<>(own);
        earlier.putAll(library);
        for (Path file : groovyFiles(directory.resolve("vars"), 1)) {
            String name = file.getFileName().toString();
            libraryVariables.add(name.substring(0, name.length() - ".groovy".length()));
            String key = "vars " + sandbox + sources.hashCode();
            library.putAll(compiled(key, Map.of(name, text(file)), earlier, sandbox));
        }
        return library;
    }

    private static String text(Path file) throws IOException {
        return Files.readString(file, StandardCharsets.UTF_8);
    }

    private static Iterable<Path> groovyFiles(Path directory, int depth) throws IOException {
        if (!Files.isDirectory(directory)) {
            return Set.of();
        }
        try (Stream<Path> files = Files.walk(directory, depth)) {
            return files.filter(file -> file.toString().endsWith(".groovy")).sorted().toList();
        }
    }
}
