package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.plain;

import groovy.lang.GroovyObjectSupport;
import hudson.AbortException;
import java.io.Serializable;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import org.codehaus.groovy.runtime.InvokerHelper;

/** Steps of shared libraries. */
final class LibrarySteps {
    private LibrarySteps() {
    }

    static List<StepSpec> specs() {
        return List.of(
            plain("library", LibrarySteps::library, "identifier", "retriever", "changelog"),
            plain("libraryResource", LibrarySteps::resource, "resource", "encoding"));
    }

    private static void library(StepRun run) {
        Sources.check(run.build.scenario(), run.text("identifier"));
        run.log("Loading library " + run.text("identifier"));
        run.build.loadLibrary();
        run.done(new LoadedClasses(""));
    }

    private static void resource(StepRun run) throws Exception {
        String name = run.text("resource");
        Path library = run.build.scenario().library();
        Path file = library == null ? null : library.resolve("resources").resolve(name);
        if (file == null || !Files.isRegularFile(file)) {
            throw new AbortException("No such library resource " + name + " could be found.");
        }
        byte[] bytes = Files.readAllBytes(file);
        String encoding = run.text("encoding", "UTF-8");
        run.done(encoding.equals("Base64") ? Base64.getEncoder().encodeToString(bytes)
            : new String(bytes, Charset.forName(encoding)));
    }

    /** What {@code library} gives: {@code library('x').org.example.Type.new(…)} and static members. */
    public static final class LoadedClasses extends GroovyObjectSupport implements Serializable {
        private static final long serialVersionUID = 1L;

        private final String prefix;

        LoadedClasses(String prefix) {
            this.prefix = prefix;
        }

        @Override
        public Object getProperty(String name) {
            String last = prefix.substring(prefix.lastIndexOf('.') + 1);
            if (!last.isEmpty() && Character.isUpperCase(last.charAt(0))) {
                return InvokerHelper.getProperty(type(), name);
            }
            return new LoadedClasses(prefix.isEmpty() ? name : prefix + "." + name);
        }

        @Override
        public Object invokeMethod(String name, Object arguments) {
            return name.equals("new") ? InvokerHelper.invokeConstructorOf(type(), arguments)
                : InvokerHelper.invokeStaticMethod(type(), name, arguments);
        }

        private Class<?> type() {
            try {
                return Build.current().program().scriptClass(prefix);
            } catch (ClassNotFoundException absent) {
                throw new IllegalArgumentException("no class " + prefix + " in the library", absent);
            }
        }
    }
}
