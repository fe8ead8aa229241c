package org.imagegate.cps;

import groovy.lang.MissingPropertyException;
import groovy.lang.Script;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import org.codehaus.groovy.runtime.DateGroovyMethods;
import org.codehaus.groovy.runtime.DefaultGroovyMethods;
import org.codehaus.groovy.runtime.EncodingGroovyMethods;
import org.codehaus.groovy.runtime.MetaClassHelper;
import org.codehaus.groovy.runtime.ProcessGroovyMethods;
import org.codehaus.groovy.runtime.StringGroovyMethods;
import org.codehaus.groovy.runtime.XmlGroovyMethods;
import org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException;

/** Decides on properties and elements of sandboxed code: by getter or setter, Groovy's own methods, field. */
final class PropertyGuard {
    /** Where Groovy's own methods are looked for, in this order. */
    static final List<Class<?>> GROOVY = List.of(DefaultGroovyMethods.class, StringGroovyMethods.class,
        XmlGroovyMethods.class, EncodingGroovyMethods.class, DateGroovyMethods.class, ProcessGroovyMethods.class);
    private static final Object[] NONE = {};

    private final Permissions permissions;
    private final BiFunction<String, String, RejectedAccessException> rejecter;

    /** The rejecter makes what is thrown, of a signature and a detail that may be null. */
    PropertyGuard(Permissions permissions, BiFunction<String, String, RejectedAccessException> rejecter) {
        this.permissions = permissions;
        this.rejecter = rejecter;
    }

    /** Throws unless the property may be read. */
    void checkGet(Object receiver, String name) {
        boolean script = receiver instanceof Script;
        if (script && ((Script) receiver).getBinding().hasVariable(name)
                || name.equals("length") && receiver.getClass().isArray()) {
            return;
        }
        List<String> refused = new ArrayList<>();
        String suffix = MetaClassHelper.capitalize(name);
        for (String getter : new String[] {"get" + suffix, "is" + suffix}) {
            Method method = CallSites.method(receiver, getter, NONE);
            if (method != null && (getter.startsWith("get") || method.getReturnType() == boolean.class)
                    && allowed(method, receiver, NONE, refused) || groovy(getter, refused, receiver)) {
                return;
            }
        }
        if (field(CallSites.field(receiver.getClass(), name), refused)
                || receiver instanceof Class<?> type && staticGet(type, name, suffix, refused)) {
            return;
        }
        Method general = CallSites.method(receiver, "getProperty", new Object[] {name});
        if (general != null && allowed(general, receiver, new Object[] {name}, refused)) {
            return;
        }
        if (script) {
            // As on a controller: an unknown name is reported as unknown, not as refused.
            throw new MissingPropertyException(name, receiver.getClass());
        }
        throw refusal(receiver, name, refused);
    }

    private boolean staticGet(Class<?> type, String name, String suffix, List<String> refused) {
        Method getter = CallSites.declared(type, "get" + suffix, NONE);
        return getter != null && note(permissions.staticMethod(getter), Whitelist.signature(getter), refused)
            || field(CallSites.field(type, name), refused);
    }

    /** Throws unless the property may be written. */
    void checkSet(Object receiver, String name, Object value) {
        if (receiver instanceof Script && !name.equals("binding") && !name.equals("metaClass")) {
            return;
        }
        List<String> refused = new ArrayList<>();
        Object[] single = {value};
        Object[] both = {name, value};
        Method setter = CallSites.method(receiver, "set" + MetaClassHelper.capitalize(name), single);
        Method general = CallSites.method(receiver, "setProperty", both);
        Class<?> owner = receiver instanceof Class<?> type ? type : receiver.getClass();
        boolean permitted = setter != null && allowed(setter, receiver, single, refused)
            || general != null && allowed(general, receiver, both, refused)
            || field(CallSites.field(owner, name), refused);
        if (!permitted) {
            throw refusal(receiver, name, refused);
        }
    }

    /** Throws unless an element may be read or written; arguments are the index and perhaps the value. */
    void checkElement(Object receiver, String name, Object... arguments) {
        if (receiver.getClass().isArray() && arguments[0] instanceof Integer) {
            return;
        }
        List<String> refused = new ArrayList<>();
        Method method = CallSites.method(receiver, name, arguments);
        Object[] self = new Object[arguments.length + 1];
        self[0] = receiver;
        System.arraycopy(arguments, 0, self, 1, arguments.length);
        if (method != null && allowed(method, receiver, arguments, refused) || groovy(name, refused, self)) {
            return;
        }
        throw refusal(receiver, name + Permissions.types(arguments), refused);
    }

    private RejectedAccessException refusal(Object receiver, String name, List<String> refused) {
        String unknown = "unclassified field " + Whitelist.name(receiver.getClass()) + " " + name;
        return rejecter.apply(refused.isEmpty() ? unknown : refused.get(0), null);
    }

    private boolean allowed(Method method, Object receiver, Object[] arguments, List<String> refused) {
        return note(permissions.method(method, receiver, arguments), Whitelist.signature(method), refused);
    }

    private boolean groovy(String name, List<String> refused, Object... self) {
        for (Class<?> type : GROOVY) {
            Method method = CallSites.declared(type, name, self);
            if (method != null && note(permissions.staticMethod(method), Whitelist.signature(method), refused)) {
                return true;
            }
        }
        return false;
    }

    private boolean field(Field field, List<String> refused) {
        return field != null && note(permissions.field(field), Whitelist.signature(field), refused);
    }

    private static boolean note(boolean permitted, String signature, List<String> refused) {
        if (!permitted) {
            refused.add(signature);
        }
        return permitted;
    }
}
