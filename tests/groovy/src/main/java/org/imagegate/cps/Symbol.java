package org.imagegate.cps;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.Map;

/** A named value that steps take as an argument, such as {@code string(credentialsId: …)} or {@code sarif(…)}. */
public final class Symbol implements Serializable {
    private static final long serialVersionUID = 1L;
    /** The name under which a lone positional argument is kept. */
    static final String POSITIONAL = "value";

    final String name;
    final LinkedHashMap<String, Object> arguments = new LinkedHashMap<>();

    private Symbol(String name) {
        this.name = name;
    }

    /** Makes a symbol of that name from the arguments of a call. */
    static Symbol of(String name, Object[] given) {
        Symbol symbol = new Symbol(name);
        if (given.length == 1 && StepCall.flat(given[0]) instanceof Map<?, ?> map) {
            map.forEach((key, value) -> symbol.arguments.put(String.valueOf(key), value));
        } else if (given.length == 1) {
            symbol.arguments.put(POSITIONAL, StepCall.flat(given[0]));
        } else if (given.length > 1) {
            throw new IllegalArgumentException(name + " takes named arguments");
        }
        return symbol;
    }

    /** Makes one of the older form {@code [$class: 'Name', …]}, or gives the symbol that the value is. */
    static Symbol from(Object value) {
        if (value instanceof Symbol symbol) {
            return symbol;
        }
        if (value instanceof Map<?, ?> map && map.get("$class") instanceof String type) {
            Symbol symbol = new Symbol(type);
            map.forEach((key, element) -> symbol.arguments.put(String.valueOf(key), element));
            symbol.arguments.remove("$class");
            return symbol;
        }
        throw new IllegalArgumentException("Expected a symbol but got " + value);
    }

    /** Gives the same by the name that is used for the class; as it is where the class has no other. */
    Symbol named(Map<String, String> names) {
        Symbol other = new Symbol(names.getOrDefault(name, name));
        other.arguments.putAll(arguments);
        return other;
    }

    /** Gives the argument of that name as text; null where it is absent. */
    String text(String key) {
        Object value = arguments.get(key);
        return value == null ? null : value.toString();
    }

    @Override
    public String toString() {
        return "@" + name + arguments;
    }
}
