package org.imagegate.cps;

import groovy.json.JsonSlurperClassic;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What one run of the harness is asked to do: the keys of the scenario file, checked for names and types,
 * with the values that absent keys have.
 */
final class Scenario {
    private static final Set<String> KEYS = Set.of("library", "libraryVersion", "jenkinsfile", "scm", "root",
        "jobName", "branchName", "env", "params", "credentials", "plugins", "jobs", "restart", "sandbox",
        "whitelist", "abort", "dockerInside");
    /** What the job another job builds does not take over from it. */
    private static final Set<String> OWN = Set.of("jenkinsfile", "scm", "jobName", "branchName", "params", "abort");

    private final Map<String, Object> keys;

    private Scenario(Map<String, Object> keys) {
        for (String key : keys.keySet()) {
            if (!KEYS.contains(key)) {
                throw new IllegalArgumentException("unknown key in scenario: " + key);
            }
        }
        this.keys = keys;
    }

    /** Reads a scenario file. */
    @SuppressWarnings("unchecked")
    static Scenario read(Path file) throws IOException {
        String text = Files.readString(file, StandardCharsets.UTF_8);
        return new Scenario((Map<String, Object>) new JsonSlurperClassic().parseText(text));
    }

    /** Makes a scenario of a map with the keys of a scenario file. */
    static Scenario of(Map<String, Object> keys) {
        return new Scenario(new LinkedHashMap<>(keys));
    }

    /** Gives the scenario of another job; what it does not say of itself is as it is for this one. */
    Scenario job(String name, Map<String, Object> parameters) {
        Map<String, Object> own = map("jobs").get(name) instanceof Map<?, ?> found ? strings(found) : null;
        if (own == null) {
            return null;
        }
        Map<String, Object> merged = new LinkedHashMap<>(keys);
        merged.keySet().removeAll(OWN);
        merged.putAll(own);
        merged.putIfAbsent("jobName", name);
        Map<String, Object> params = own.get("params") instanceof Map<?, ?> given
            ? strings(given) : new LinkedHashMap<>();
        params.putAll(parameters);
        merged.put("params", params);
        return new Scenario(merged);
    }

    Path jenkinsfile() {
        return Path.of(required("jenkinsfile"));
    }

    Path root() {
        return Path.of(required("root"));
    }

    /** Gives the directory of the shared library, or null where there is none. */
    Path library() {
        return path("library");
    }

    /** Gives the directory that {@code checkout scm} copies, or null where the job has no source control. */
    Path scm() {
        return path("scm");
    }

    String libraryVersion() {
        return text("libraryVersion", "");
    }

    String jobName() {
        return text("jobName", "job");
    }

    /** Gives the branch that a multibranch job builds, or null. */
    String branchName() {
        return text("branchName", null);
    }

    boolean restartsAtEveryStep() {
        String restart = text("restart", "every-step");
        return switch (restart) {
            case "every-step" -> true;
            case "never" -> false;
            default -> throw new IllegalArgumentException("restart is neither every-step nor never: " + restart);
        };
    }

    boolean sandbox() {
        return !Boolean.FALSE.equals(keys.get("sandbox"));
    }

    /** Gives the value of a key that holds an object; an empty one where the key is absent. */
    Map<String, Object> map(String key) {
        return keys.get(key) instanceof Map<?, ?> found ? strings(found) : new LinkedHashMap<>();
    }

    /** Gives the value of a key that holds a list of strings; an empty one where the key is absent. */
    List<String> list(String key) {
        return keys.get(key) instanceof List<?> found ? found.stream().map(String::valueOf).toList() : List.of();
    }

    private Path path(String key) {
        String text = text(key, null);
        return text == null ? null : Path.of(text);
    }

    private String required(String key) {
        String text = text(key, null);
        if (text == null) {
            throw new IllegalArgumentException("scenario has no " + key);
        }
        return text;
    }

    private String text(String key, String absent) {
        Object value = keys.get(key);
        return value == null ? absent : value.toString();
    }

    private static Map<String, Object> strings(Map<?, ?> map) {
        Map<String, Object> copy = new LinkedHashMap<>();
        map.forEach((key, value) -> copy.put(String.valueOf(key), value));
        return copy;
    }
}
