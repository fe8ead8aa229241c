package org.imagegate.cps;

import com.cloudbees.groovy.cps.Continuable;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Set;
import org.codehaus.groovy.runtime.GStringImpl;
import org.codehaus.groovy.runtime.ScriptBytecodeAdapter;
import org.kohsuke.groovy.sandbox.impl.Checker;

/** Decides on accesses: what the lists permit, what plugins mark, and what pipelines may do in any case. */
final class Permissions {
    private static final Set<String> SCRIPT_METHODS = Set.of("invokeMethod", "evaluate", "println", "print", "printf");
    /** What the CPS library calls for casts, strings with variables, and ranges. */
    private static final Set<String> SYNTAX = Set.of("asType", "createRange");
    private static final String CPS_CLASSES = "com.cloudbees.groovy.cps.Cps";
    private static final String GROOVY_CLASSES = "org.codehaus.groovy.runtime.";

    private final Whitelist whitelist;
    private final Build build;

    Permissions(Whitelist whitelist, Build build) {
        this.whitelist = whitelist;
        this.build = build;
    }

    /** Tells whether the method may be called on the receiver. */
    boolean method(Method method, Object receiver, Object[] arguments) {
        return marked(method, method.getDeclaringClass()) || always(method.getName(), receiver, arguments)
            || whitelist.has(Whitelist.signature(method));
    }

    private boolean always(String name, Object receiver, Object[] arguments) {
        if (receiver instanceof PipelineScript) {
            boolean known = name.equals("getProperty") && arguments.length == 1
                && arguments[0] instanceof String property
                && (build.globals().has(property) || build.environment().containsKey(property));
            return known || SCRIPT_METHODS.contains(name);
        }
        if (receiver instanceof EnvVariable) {
            return name.equals("getProperty") || name.equals("setProperty");
        }
        if (receiver instanceof LibrarySteps.LoadedClasses) {
            return name.equals("getProperty") || name.equals("invokeMethod");
        }
        return own(receiver.getClass()) || receiver instanceof StepsVariable && name.equals("invokeMethod");
    }

    /** The harness's own Groovy stands for code of plugins, which guards itself. */
    private static boolean own(Class<?> type) {
        return ScriptLoader.made(type) && type.getPackageName().equals(Permissions.class.getPackageName());
    }

    /** Tells whether the static method may be called. */
    boolean staticMethod(Method method) {
        Class<?> type = method.getDeclaringClass();
        boolean syntax = type == ScriptBytecodeAdapter.class && SYNTAX.contains(method.getName())
            || type == Checker.class && method.getName().equals("checkedCast");
        if (syntax || marked(method, type)) {
            return true;
        }
        if (Continuable.categories.contains(type)) {
            Method original = original(method);
            return original != null && whitelist.has(Whitelist.signature(original));
        }
        return whitelist.has(Whitelist.signature(method));
    }

    /** Gives the method of Groovy that a method of the CPS library replaces; null where there is none. */
    private static Method original(Method method) {
        String name = method.getName().startsWith("$")
            ? method.getName().substring(1).replaceFirst("__.*$", "") : method.getName();
        String type = method.getDeclaringClass().getName().replace(CPS_CLASSES, GROOVY_CLASSES);
        try {
            return Class.forName(type).getMethod(name, method.getParameterTypes());
        } catch (ReflectiveOperationException absent) {
            return null;
        }
    }

    /** Tells whether the constructor may be called. */
    boolean constructor(Constructor<?> constructor) {
        Class<?> type = constructor.getDeclaringClass();
        return marked(constructor, type) || type == GStringImpl.class
            || whitelist.has(Whitelist.signature(constructor));
    }

    /** Tells whether the field may be read and written. */
    boolean field(Field field) {
        return marked(field, field.getDeclaringClass()) || whitelist.has(Whitelist.signature(field));
    }

    private static boolean marked(AnnotatedElement member, Class<?> type) {
        return ScriptLoader.made(type) || member.isAnnotationPresent(Whitelisted.class);
    }

    /** Gives the types of arguments as messages have them. */
    static String types(Object[] arguments) {
        StringBuilder text = new StringBuilder();
        Arrays.stream(arguments).forEach(argument -> text.append(' ')
            .append(argument == null ? "null" : Whitelist.name(argument.getClass())));
        return text.toString();
    }
}
