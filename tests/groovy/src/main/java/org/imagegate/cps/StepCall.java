package org.imagegate.cps;

import groovy.lang.Closure;
import groovy.lang.GString;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A step that a program has called and that has not begun. Closures among the arguments are part of the
 * program's state; the other arguments are not, because a controller keeps them elsewhere as well.
 */
final class StepCall implements Serializable {
    private static final long serialVersionUID = 1L;

    final String name;
    final Closure<?> body;
    final LinkedHashMap<String, Closure<?>> closures = new LinkedHashMap<>();
    transient Map<String, Object> arguments = new LinkedHashMap<>();

    private StepCall(String name, Closure<?> body) {
        this.name = name;
        this.body = body;
    }

    /** Sorts the arguments of a call into body, closures and the rest, all strings flattened. */
    static StepCall of(StepSpec spec, Object[] given) {
        int count = given.length;
        Closure<?> body = null;
        if (count > 0 && given[count - 1] instanceof Closure<?> last && spec.block()) {
            body = last;
            count--;
        }
        StepCall call = new StepCall(spec.name(), body);
        named(spec, given, count).forEach((key, value) -> {
            if (value instanceof Closure<?> closure) {
                call.closures.put(key, closure);
            } else {
                call.arguments.put(key, value);
            }
        });
        return call;
    }

    private static Map<String, Object> named(StepSpec spec, Object[] given, int count) {
        Map<String, Object> named = new LinkedHashMap<>();
        if (count == 0 || count == 1 && given[0] == null && spec.sole() == null) {
            return named;
        }
        if (count > 1) {
            throw new IllegalArgumentException("Expected named arguments but got " + List.of(given));
        }
        if (given[0] instanceof Map<?, ?> map && (spec.sole() == null || takes(spec, map))) {
            map.forEach((key, value) -> named.put(String.valueOf(key), flat(value)));
        } else if (spec.sole() == null) {
            throw new IllegalArgumentException("Expected named arguments but got " + flat(given[0]));
        } else {
            named.put(spec.sole(), flat(given[0]));
        }
        return named;
    }

    /** A map is the argument itself only for a step with no other parameter, as in {@code publishHTML([…])}. */
    private static boolean takes(StepSpec spec, Map<?, ?> map) {
        return spec.parameters().size() > 1 || map.size() == 1 && map.containsKey(spec.sole());
    }

    /** Gives the value with each Groovy string, however deep, made a plain one. */
    static Object flat(Object value) {
        if (value instanceof GString) {
            return value.toString();
        }
        if (value instanceof List<?> list) {
            List<Object> copy = new ArrayList<>();
            list.forEach(element -> copy.add(flat(element)));
            return copy;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> copy = new LinkedHashMap<>();
            map.forEach((key, element) -> copy.put(flat(key), flat(element)));
            return copy;
        }
        return value;
    }
}
