package org.imagegate.cps;

import groovy.lang.GString;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Finds the declaration that a call means, the most general one first: lists of permitted signatures name
 * the type that declares a method first, not the one that overrides it.
 */
final class CallSites {
    private static final Map<Class<?>, Class<?>> BOXES = Map.of(int.class, Integer.class, long.class, Long.class,
        boolean.class, Boolean.class, char.class, Character.class, byte.class, Byte.class, short.class, Short.class,
        float.class, Float.class, double.class, Double.class);

    private CallSites() {
    }

    /** Gives the method that the call means, or null. */
    static Method method(Object receiver, String name, Object[] arguments) {
        for (Class<?> type : types(receiver.getClass())) {
            Method found = declared(type, name, arguments);
            if (found != null) {
                return found;
            }
        }
        return receiver instanceof GString ? method(receiver.toString(), name, arguments) : null;
    }

    /** Gives the static method (or any other that the class itself declares) that the call means, or null. */
    static Method declared(Class<?> type, String name, Object[] arguments) {
        Method best = null;
        for (Method method : type.getDeclaredMethods()) {
            if (method.getName().equals(name) && !method.isBridge()
                && takes(method.getParameterTypes(), method.isVarArgs(), arguments)
                && (best == null || closer(method, best))) {
                best = method;
            }
        }
        return best;
    }

    /** Gives the constructor that the call means, or null. */
    static Constructor<?> constructor(Class<?> type, Object[] arguments) {
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            if (takes(constructor.getParameterTypes(), constructor.isVarArgs(), arguments)) {
                return constructor;
            }
        }
        boolean mapOnly = arguments.length == 1 && arguments[0] instanceof Map;
        return mapOnly ? constructor(type, new Object[0]) : null;
    }

    /** Gives the field of that name, of a class or its supertypes, or null. */
    static Field field(Class<?> start, String name) {
        for (Class<?> type : types(start)) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().equals(name)) {
                    return field;
                }
            }
        }
        return null;
    }

    private static Set<Class<?>> types(Class<?> start) {
        Set<Class<?>> types = new LinkedHashSet<>();
        visit(start, types);
        return types;
    }

    private static void visit(Class<?> type, Set<Class<?>> types) {
        if (type.getSuperclass() != null) {
            visit(type.getSuperclass(), types);
        }
        for (Class<?> each : type.getInterfaces()) {
            visit(each, types);
        }
        types.add(type);
    }

    private static boolean takes(Class<?>[] types, boolean open, Object[] arguments) {
        if (types.length == arguments.length && all(types, arguments, types.length)) {
            return true;
        }
        int fixed = types.length - 1;
        if (!open || arguments.length < fixed || !all(types, arguments, fixed)) {
            return false;
        }
        Class<?> element = types[fixed].getComponentType();
        for (int i = fixed; i < arguments.length; i++) {
            if (!takes(element, arguments[i])) {
                return false;
            }
        }
        return true;
    }

    private static boolean all(Class<?>[] types, Object[] arguments, int count) {
        for (int i = 0; i < count; i++) {
            if (!takes(types[i], arguments[i])) {
                return false;
            }
        }
        return true;
    }

    private static boolean takes(Class<?> type, Object argument) {
        if (argument == null) {
            return !type.isPrimitive();
        }
        if (type == String.class && argument instanceof GString) {
            return true;
        }
        Class<?> box = BOXES.getOrDefault(type, type);
        if (type.isPrimitive() && argument instanceof Number && Number.class.isAssignableFrom(box)) {
            return box.isInstance(argument) || argument instanceof Integer && box != Short.class && box != Byte.class
                || argument instanceof Long number && box == Integer.class && number == number.intValue();
        }
        return box.isInstance(argument);
    }

    private static boolean closer(Method one, Method other) {
        Class<?>[] ones = one.getParameterTypes();
        Class<?>[] others = other.getParameterTypes();
        if (ones.length != others.length) {
            return ones.length > others.length;
        }
        for (int i = 0; i < ones.length; i++) {
            Class<?> mine = BOXES.getOrDefault(ones[i], ones[i]);
            Class<?> its = BOXES.getOrDefault(others[i], others[i]);
            if (mine != its && its.isAssignableFrom(mine)) {
                return true;
            }
            if (mine != its && mine.isAssignableFrom(its)) {
                return false;
            }
        }
        return one.toString().compareTo(other.toString()) > 0;
    }
}
