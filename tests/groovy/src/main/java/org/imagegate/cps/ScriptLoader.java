package org.imagegate.cps;

import java.util.Map;

/** Loads the classes of a Jenkinsfile and its library from byte code; one is made for each restart. */
final class ScriptLoader extends ClassLoader {
    private final Map<String, byte[]> classes;

    /** Makes a loader of those classes (name to byte code) on top of the harness's own. */
    ScriptLoader(Map<String, byte[]> classes) {
        super(ScriptLoader.class.getClassLoader());
        this.classes = classes;
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        byte[] code = classes.get(name);
        if (code == null) {
            throw new ClassNotFoundException(name);
        }
        return defineClass(name, code, 0, code.length);
    }

    /** Tells whether the class came out of a Jenkinsfile, a library or the harness's own Groovy. */
    static boolean made(Class<?> type) {
        return type.getClassLoader() instanceof ScriptLoader;
    }
}
