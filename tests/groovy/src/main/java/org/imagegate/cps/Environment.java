package org.imagegate.cps;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Variables of a step, put together as a controller does it. */
final class Environment {
    private static final Pattern REFERENCE = Pattern.compile("\\$([A-Za-z0-9_]+|\\{([A-Za-z0-9_.]+)\\}|\\$)");

    private final Map<String, String> variables = new TreeMap<>();

    /** Starts with those variables. */
    Environment(Map<String, String> base) {
        base.forEach(this::override);
    }

    Map<String, String> variables() {
        return variables;
    }

    /** Puts the layers on top, outermost first. */
    Environment apply(List<StepContext.Layer> layers) {
        for (StepContext.Layer layer : layers) {
            if (layer.expand()) {
                overrideExpanding(layer.values());
            } else {
                layer.values().forEach(this::override);
            }
        }
        return this;
    }

    /**
     * Sets a variable. {@code NAME+ANY} puts the value in front of what NAME has, and an empty value removes
     * the variable: both as on a controller.
     */
    void override(String key, String value) {
        if (value == null || value.isEmpty()) {
            variables.remove(key);
            return;
        }
        int plus = key.indexOf('+');
        if (plus > 0) {
            String name = key.substring(0, plus);
            String before = variables.get(name);
            variables.put(name, before == null ? value : value + ":" + before);
        } else {
            variables.put(key, value);
        }
    }

    /** Sets variables that may refer to each other: those referred to are set first, whatever their order. */
    void overrideExpanding(Map<String, String> values) {
        for (String key : ordered(values)) {
            override(key, expand(values.get(key)));
        }
    }

    private static List<String> ordered(Map<String, String> values) {
        List<String> order = new ArrayList<>();
        Set<String> visited = new HashSet<>();
        values.keySet().forEach(key -> visit(key, values, visited, order));
        return order;
    }

    private static void visit(String key, Map<String, String> values, Set<String> visited, List<String> order) {
        if (!visited.add(key)) {
            return;
        }
        Matcher matcher = REFERENCE.matcher(String.valueOf(values.get(key)));
        while (matcher.find()) {
            String name = name(matcher);
            if (values.containsKey(name)) {
                visit(name, values, visited, order);
            }
        }
        order.add(key);
    }

    /** Gives the text with references to known variables replaced; others stay, and {@code $$} is a dollar. */
    String expand(String text) {
        if (text == null) {
            return null;
        }
        Matcher matcher = REFERENCE.matcher(text);
        StringBuilder out = new StringBuilder();
        while (matcher.find()) {
            String name = name(matcher);
            String value = name.equals("$") ? "$" : variables.getOrDefault(name, matcher.group());
            matcher.appendReplacement(out, Matcher.quoteReplacement(value));
        }
        return matcher.appendTail(out).toString();
    }

    private static String name(Matcher matcher) {
        return matcher.group(2) != null ? matcher.group(2) : matcher.group(1);
    }
}
