package org.imagegate.cps;

import hudson.model.Result;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What the interpreter of Declarative pipelines has to ask the build for. */
public final class DeclarativeSupport {
    private DeclarativeSupport() {
    }

    /** Tells whether there is source control to check out. */
    public static boolean hasScm() {
        return Build.current().scenario().scm() != null;
    }

    /** Gives the bindings that {@code NAME = credentials(id)} stands for; they depend on the kind of the entry. */
    public static List<Symbol> bindings(String name, String id) {
        Object entry = Build.current().scenario().map("credentials").get(id);
        Object kind = entry instanceof Map<?, ?> map ? map.get("kind") : null;
        List<Symbol> bindings = new ArrayList<>();
        if ("usernamePassword".equals(kind)) {
            bindings.add(symbol("usernameColonPassword", Map.of("credentialsId", id, "variable", name)));
            bindings.add(symbol("usernamePassword", Map.of("credentialsId", id,
                "usernameVariable", name + "_USR", "passwordVariable", name + "_PSW")));
        } else {
            bindings.add(symbol("file".equals(kind) ? "file" : "string",
                Map.of("credentialsId", id, "variable", name)));
        }
        return bindings;
    }

    private static Symbol symbol(String name, Map<String, String> arguments) {
        return Symbol.of(name, new Object[] {arguments});
    }

    /** Gives a parameter its default where the build was started without it. */
    public static void defaultParameter(String name, Object value) {
        Build.current().info().defaultParameter(name, value);
    }

    /** Gives the build the result that an exception stands for, and gives that result's name. */
    public static String failed(Throwable problem) {
        Result result = BuildEnd.result(problem);
        Build.current().result().worsen(result);
        return result.toString();
    }
}
