package org.imagegate.cps;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;

/** All that survives a restart of the controller: the threads, and through them scripts, closures, locals. */
final class ProgramState implements Serializable {
    private static final long serialVersionUID = 1L;

    final TreeMap<Integer, CpsThread> threads = new TreeMap<>();
    private int last;

    /** Gives a number for a new thread. */
    int nextId() {
        return ++last;
    }

    /** Gives the thread that is to be resumed next, or null where all wait for their steps. */
    CpsThread runnable() {
        for (CpsThread thread : threads.values()) {
            if (thread.pending != null) {
                return thread;
            }
        }
        return null;
    }

    /** Tells whether the thread runs inside the other one's steps, or is it. */
    boolean within(int thread, int ancestor) {
        for (CpsThread at = threads.get(thread); at != null; at = threads.get(at.parent)) {
            if (at.id == ancestor) {
                return true;
            }
        }
        return false;
    }

    /** Gives the state as bytes; a part that cannot be kept throws with the path to it. */
    byte[] write() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(this);
        }
        return bytes.toByteArray();
    }

    /** Reads a state back; classes of scripts come from that loader. */
    static ProgramState read(byte[] bytes, ClassLoader loader) throws IOException, ClassNotFoundException {
        try (ObjectInputStream in = new LoaderStream(new ByteArrayInputStream(bytes), loader)) {
            return (ProgramState) in.readObject();
        }
    }

    /** Finds classes in a given loader, those of arrays and primitive types included. */
    private static final class LoaderStream extends ObjectInputStream {
        private static final Map<String, Class<?>> PRIMITIVES = Map.of("int", int.class, "long", long.class,
            "boolean", boolean.class, "byte", byte.class, "char", char.class, "short", short.class,
            "float", float.class, "double", double.class, "void", void.class);
        private final ClassLoader loader;

        LoaderStream(InputStream in, ClassLoader loader) throws IOException {
            super(in);
            this.loader = loader;
        }

        @Override
        protected Class<?> resolveClass(ObjectStreamClass description) throws ClassNotFoundException {
            Class<?> primitive = PRIMITIVES.get(description.getName());
            return primitive != null ? primitive : Class.forName(description.getName(), false, loader);
        }
    }
}
