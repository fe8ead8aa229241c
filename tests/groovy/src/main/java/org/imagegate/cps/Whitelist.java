package org.imagegate.cps;

import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The accesses that sandboxed scripts may make, by their signatures. */
final class Whitelist {
    private static final Set<String> KINDS = Set.of("method", "new", "staticMethod", "field", "staticField");

    private final Set<String> lines = new HashSet<>();

    private Whitelist() {
    }

    /** Reads lists in the format of Script Security; a line of no known kind throws. */
    static Whitelist read(List<Path> files) throws IOException {
        Whitelist whitelist = new Whitelist();
        for (Path file : files) {
            for (String line : Files.readAllLines(file)) {
                String text = line.trim();
                if (text.isEmpty() || text.startsWith("#")) {
                    continue;
                }
                if (!KINDS.contains(text.split(" ")[0])) {
                    throw new IllegalArgumentException("not a signature in " + file + ": " + text);
                }
                whitelist.lines.add(text);
            }
        }
        return whitelist;
    }

    /** Tells whether the lists have the signature. */
    boolean has(String signature) {
        if (lines.contains(signature)) {
            return true;
        }
        String[] parts = signature.split(" ");
        boolean wildcard = parts.length > 2 && (parts[0].endsWith("ield"));
        return wildcard && lines.contains(parts[0] + " " + parts[1] + " *");
    }

    /** Gives the signature of a method, static or not. */
    static String signature(Method method) {
        String kind = Modifier.isStatic(method.getModifiers()) ? "staticMethod " : "method ";
        return types(kind + name(method.getDeclaringClass()) + " " + method.getName(), method.getParameterTypes());
    }

    /** Gives the signature of a constructor. */
    static String signature(Constructor<?> constructor) {
        return types("new " + name(constructor.getDeclaringClass()), constructor.getParameterTypes());
    }

    /** Gives the signature of a field, static or not. */
    static String signature(Field field) {
        String kind = Modifier.isStatic(field.getModifiers()) ? "staticField " : "field ";
        return kind + name(field.getDeclaringClass()) + " " + field.getName();
    }

    private static String types(String start, Class<?>[] types) {
        StringBuilder line = new StringBuilder(start);
        for (Class<?> type : types) {
            line.append(' ').append(name(type));
        }
        return line.toString();
    }

    /** Gives the name of a type as signatures have it. */
    static String name(Class<?> type) {
        return type.isArray() ? name(type.getComponentType()) + "[]" : type.getName();
    }
}
