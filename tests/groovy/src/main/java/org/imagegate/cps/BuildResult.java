package org.imagegate.cps;

import groovy.json.JsonOutput;
import hudson.model.Result;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the harness says of a build: the keys of the result file. */
final class BuildResult {
    private final Map<String, Object> keys = new LinkedHashMap<>();
    private Result result;

    /** Makes an empty one. */
    BuildResult() {
        for (String key : List.of("result", "error", "errorClass", "description", "displayName", "log")) {
            keys.put(key, null);
        }
        for (String key : List.of("steps", "rejected", "archived", "junit", "issues", "published", "badges",
                                  "builds")) {
            keys.put(key, new ArrayList<>());
        }
        keys.put("restarts", 0);
        keys.put("stateBytes", 0);
    }

    /** Gives the keys as they are now. */
    Map<String, Object> keys() {
        return keys;
    }

    /** Gives the result so far; null while nothing has set one. */
    synchronized Result result() {
        return result;
    }

    /** Sets the result; one that is better than what is there already changes nothing, as on a controller. */
    synchronized void worsen(Result to) {
        if (result == null || to.isWorseThan(result)) {
            result = to;
        }
    }

    /** Sets a key. */
    synchronized void put(String key, Object value) {
        keys.put(key, value);
    }

    /** Adds a value to a key that holds a list. */
    @SuppressWarnings("unchecked")
    synchronized void add(String key, Object value) {
        ((List<Object>) keys.get(key)).add(value);
    }

    /** Gives the values of a key that holds a list. */
    synchronized List<?> list(String key) {
        return new ArrayList<>((List<?>) keys.get(key));
    }

    /** Counts a restart and keeps the size of the largest state. */
    synchronized void restarted(int bytes) {
        keys.merge("restarts", 1, (one, other) -> (int) one + (int) other);
        keys.merge("stateBytes", bytes, (one, other) -> Math.max((int) one, (int) other));
    }

    /** Gives the result file's text. */
    String json() {
        return JsonOutput.toJson(keys);
    }

    /** Gives a copy of an argument that JSON can hold, long texts cut. */
    static Object plain(StepContext context, Object value) {
        if (value == null || value instanceof Boolean || value instanceof Number) {
            return value;
        }
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> copy = new LinkedHashMap<>();
            map.forEach((key, element) -> copy.put(String.valueOf(key), plain(context, element)));
            return copy;
        }
        if (value instanceof Collection<?> list) {
            return list.stream().map(element -> plain(context, element)).toList();
        }
        if (value instanceof Symbol symbol) {
            return Map.of("symbol", symbol.name, "arguments", plain(context, symbol.arguments));
        }
        String text = value instanceof CharSequence || value instanceof Serializable
            ? value.toString() : value.getClass().getName();
        String masked = Log.mask(context, text);
        return masked.length() > 4000 ? masked.substring(0, 4000) + "…" : masked;
    }
}
