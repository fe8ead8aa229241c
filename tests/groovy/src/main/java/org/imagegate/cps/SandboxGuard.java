package org.imagegate.cps;

import groovy.lang.Closure;
import groovy.lang.GroovyObject;
import groovy.lang.MissingMethodException;
import groovy.lang.Script;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Map;
import java.util.Set;
import org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException;
import org.kohsuke.groovy.sandbox.GroovyInterceptor;

/** Sees each access that sandboxed code makes and refuses what is not permitted. */
final class SandboxGuard extends GroovyInterceptor {
    private static final Set<String> ARITHMETIC = Set.of("plus", "minus", "multiply", "div", "compareTo", "or", "and",
        "xor", "intdiv", "mod", "leftShift", "rightShift", "rightShiftUnsigned");

    private final Permissions permissions;
    private final PropertyGuard properties;
    private final Build build;

    SandboxGuard(Whitelist whitelist, Build build) {
        this.build = build;
        this.permissions = new Permissions(whitelist, build);
        this.properties = new PropertyGuard(permissions, this::reject);
    }

    /** Notes a refusal and gives what is to be thrown. */
    private RejectedAccessException reject(String signature, String detail) {
        if (!build.result().list("rejected").contains(signature)) {
            build.result().add("rejected", signature);
        }
        String sentence = "Scripts not permitted to use " + signature + (detail == null ? "" : " (" + detail + ")");
        return new RejectedAccessException(sentence, signature);
    }

    @Override
    public Object onMethodCall(Invoker invoker, Object receiver, String name, Object... arguments) throws Throwable {
        Method method = CallSites.method(receiver, name, arguments);
        if (method == null) {
            return onUndeclared(invoker, receiver, name, arguments);
        }
        if (permissions.method(method, receiver, arguments)) {
            return super.onMethodCall(invoker, receiver, name, arguments);
        }
        boolean dispatched = name.equals("invokeMethod") && arguments.length == 2
            && arguments[1] instanceof Object[];
        throw reject(Whitelist.signature(method), dispatched ? Whitelist.name(receiver.getClass()) + " "
            + arguments[0] + Permissions.types((Object[]) arguments[1]) : null);
    }

    /** A method that the receiver's type does not declare: Groovy's own, a closure in a map, a dispatched one. */
    private Object onUndeclared(Invoker invoker, Object receiver, String name, Object[] arguments) throws Throwable {
        if (receiver instanceof Number && ARITHMETIC.contains(name)) {
            return super.onMethodCall(invoker, receiver, name, arguments);
        }
        Object[] self = new Object[arguments.length + 1];
        self[0] = receiver;
        System.arraycopy(arguments, 0, self, 1, arguments.length);
        Method first = null;
        for (Class<?> type : PropertyGuard.GROOVY) {
            Method method = CallSites.declared(type, name, self);
            if (method != null && permissions.staticMethod(method)) {
                return super.onMethodCall(invoker, receiver, name, arguments);
            }
            first = first == null ? method : first;
        }
        if (first != null) {
            throw reject(Whitelist.signature(first), null);
        }
        if (receiver instanceof Map<?, ?> map && map.get(name) instanceof Closure<?> closure) {
            return onMethodCall(invoker, closure, "call", arguments);
        }
        if (receiver instanceof Script script && script.getBinding().hasVariable(name)
                && script.getBinding().getVariable(name) instanceof Closure<?> closure) {
            return onMethodCall(invoker, closure, "call", arguments);
        }
        if (receiver instanceof GroovyObject) {
            return onMethodCall(invoker, receiver, "invokeMethod", name, arguments);
        }
        throw new MissingMethodException(name, receiver.getClass(), arguments);
    }

    @Override
    public Object onStaticCall(Invoker invoker, Class receiver, String name, Object... arguments) throws Throwable {
        Method method = CallSites.declared(receiver, name, arguments);
        if (method == null) {
            throw new RejectedAccessException("No such static method found: staticMethod " + Whitelist.name(receiver)
                + " " + name + Permissions.types(arguments), null);
        }
        if (!permissions.staticMethod(method)) {
            throw reject(Whitelist.signature(method), null);
        }
        return super.onStaticCall(invoker, receiver, name, arguments);
    }

    @Override
    public Object onNewInstance(Invoker invoker, Class receiver, Object... arguments) throws Throwable {
        checkConstructor(receiver, arguments);
        return super.onNewInstance(invoker, receiver, arguments);
    }

    @Override
    public void onSuperConstructor(Invoker invoker, Class receiver, Object... arguments) throws Throwable {
        checkConstructor(receiver, arguments);
        super.onSuperConstructor(invoker, receiver, arguments);
    }

    private void checkConstructor(Class<?> receiver, Object[] arguments) {
        Constructor<?> constructor = CallSites.constructor(receiver, arguments);
        if (constructor == null) {
            throw new RejectedAccessException("No such constructor found: new " + Whitelist.name(receiver)
                + Permissions.types(arguments), null);
        }
        if (!permissions.constructor(constructor)) {
            throw reject(Whitelist.signature(constructor), null);
        }
    }

    @Override
    public Object onSuperCall(Invoker invoker, Class sender, Object receiver, String name, Object... arguments)
            throws Throwable {
        Method method = CallSites.method(receiver, name, arguments);
        if (method == null || !permissions.method(method, receiver, arguments)) {
            throw reject(method == null ? "super." + name : Whitelist.signature(method), null);
        }
        return super.onSuperCall(invoker, sender, receiver, name, arguments);
    }

    @Override
    public Object onGetProperty(Invoker invoker, Object receiver, String name) throws Throwable {
        properties.checkGet(receiver, name);
        return super.onGetProperty(invoker, receiver, name);
    }

    @Override
    public Object onSetProperty(Invoker invoker, Object receiver, String name, Object value) throws Throwable {
        properties.checkSet(receiver, name, value);
        return super.onSetProperty(invoker, receiver, name, value);
    }

    @Override
    public Object onGetAttribute(Invoker invoker, Object receiver, String name) throws Throwable {
        checkField(receiver, name);
        return super.onGetAttribute(invoker, receiver, name);
    }

    @Override
    public Object onSetAttribute(Invoker invoker, Object receiver, String name, Object value) throws Throwable {
        checkField(receiver, name);
        return super.onSetAttribute(invoker, receiver, name, value);
    }

    private void checkField(Object receiver, String name) {
        Field field = CallSites.field(receiver.getClass(), name);
        if (field == null || !permissions.field(field)) {
            throw reject(field == null ? "field " + Whitelist.name(receiver.getClass()) + " " + name
                : Whitelist.signature(field), null);
        }
    }

    @Override
    public Object onGetArray(Invoker invoker, Object receiver, Object index) throws Throwable {
        properties.checkElement(receiver, "getAt", index);
        return super.onGetArray(invoker, receiver, index);
    }

    @Override
    public Object onSetArray(Invoker invoker, Object receiver, Object index, Object value) throws Throwable {
        properties.checkElement(receiver, "putAt", index, value);
        return super.onSetArray(invoker, receiver, index, value);
    }
}
