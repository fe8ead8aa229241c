package org.imagegate.cps;

import static org.junit.Assert.assertEquals;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A scenario of one test: collects its keys, runs it, and looks into the result. */
final class Runs {
    private final Path directory;
    private final Map<String, Object> keys = new LinkedHashMap<>();
    private Map<String, Object> result;

    /** Makes a scenario with files in that directory and the repository's list of permitted accesses. */
    Runs(Path directory) {
        this.directory = directory;
        keys.put("root", directory.resolve("root").toString());
        keys.put("env", Map.of("PATH", System.getenv("PATH")));
        keys.put("whitelist", List.of(Path.of("whitelist.txt").toAbsolutePath().toString()));
    }

    Path directory() {
        return directory;
    }

    Runs with(String key, Object value) {
        keys.put(key, value);
        return this;
    }

    /** Writes a file below the directory and gives its path. */
    Path file(String name, String text) {
        try {
            Path file = directory.resolve(name);
            Files.createDirectories(file.getParent());
            return Files.writeString(file, text);
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    /** Adds a file of the shared library. */
    Runs library(String name, String text) {
        file("library/" + name, text);
        return with("library", directory.resolve("library").toString());
    }

    /** Uses the toy library of the test resources. */
    Runs toyLibrary() {
        return with("library", Path.of("src/test/resources/toy").toAbsolutePath().toString());
    }

    /** Runs the scenario with that Jenkinsfile. */
    Runs run(String jenkinsfile) throws Exception {
        with("jenkinsfile", file("Jenkinsfile", jenkinsfile).toString());
        result = Main.run(Scenario.of(keys)).keys();
        return this;
    }

    Runs ends(String expected) {
        assertEquals(String.join("\n", log()), expected, result.get("result"));
        return this;
    }

    Object get(String key) {
        return result.get(key);
    }

    String error() {
        return String.valueOf(result.get("error"));
    }

    String errorClass() {
        return String.valueOf(result.get("errorClass"));
    }

    List<?> list(String key) {
        return (List<?>) result.get(key);
    }

    @SuppressWarnings("unchecked")
    List<String> log() {
        return (List<String>) result.get("log");
    }

    boolean logged(String part) {
        return log().stream().anyMatch(line -> line.contains(part));
    }

    /** Gives the record of the n-th call of a step, counted from 0. */
    Map<?, ?> step(String name, int n) {
        return list("steps").stream().map(step -> (Map<?, ?>) step).filter(step -> step.get("name").equals(name))
            .skip(n).findFirst().orElseThrow();
    }
}
