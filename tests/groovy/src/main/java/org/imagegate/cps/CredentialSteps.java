package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.block;

import com.cloudbees.groovy.cps.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.jenkinsci.plugins.credentialsbinding.impl.CredentialNotFoundException;

/** The step {@code withCredentials} and what it binds. */
final class CredentialSteps {
    private static final Map<String, String> KINDS = Map.of("usernamePassword", "usernamePassword",
        "usernameColonPassword", "usernamePassword", "string", "string", "file", "file", "zip", "zip");
    private static final Map<String, String> CLASSES = Map.of("UsernamePasswordMultiBinding", "usernamePassword",
        "UsernamePasswordBinding", "usernameColonPassword", "StringBinding", "string", "FileBinding", "file",
        "ZipFileBinding", "zip");
    private static final Map<String, String> PARTS = Map.of("username", "usernameVariable",
        "password", "passwordVariable");

    private CredentialSteps() {
    }

    static List<StepSpec> specs() {
        return List.of(block("withCredentials", CredentialSteps::start, "bindings"));
    }

    private static void start(StepRun run) throws Exception {
        List<?> bindings = run.get("bindings") instanceof List<?> list ? list : List.of(run.get("bindings"));
        StepContext inside = run.context;
        List<String> files = new ArrayList<>();
        for (Object element : bindings) {
            Symbol binding = Symbol.from(element).named(CLASSES);
            Map<?, ?> entry = entry(run, binding);
            Map<String, String> variables = new LinkedHashMap<>();
            List<String> secrets = new ArrayList<>();
            bind(run, binding, entry, variables, secrets, files);
            inside = inside.withCredential(binding.text("credentialsId"), secrets)
                .withEnvironment(variables, false);
        }
        run.log("Masking supported pattern matches of the bound secrets");
        run.body(inside, new Cleanup(new ArrayList<>(files)));
    }

    /** Gives the entry that a binding names; throws where there is none, or one of another kind. */
    static Map<?, ?> entry(StepRun run, Symbol binding) throws CredentialNotFoundException {
        String id = binding.text("credentialsId");
        Object entry = run.build.scenario().map("credentials").get(id);
        if (!(entry instanceof Map<?, ?> found)) {
            throw new CredentialNotFoundException("Could not find credentials entry with ID '" + id + "'");
        }
        String wanted = KINDS.get(binding.name);
        if (!String.valueOf(found.get("kind")).equals(wanted)) {
            throw new CredentialNotFoundException("Credentials '" + id + "' is of type '" + found.get("kind")
                + "' where '" + binding.name + "' was expected");
        }
        return found;
    }

    private static void bind(StepRun run, Symbol binding, Map<?, ?> entry, Map<String, String> variables,
                             List<String> secrets, List<String> files) throws Exception {
        switch (binding.name) {
            case "usernamePassword" -> {
                for (String part : List.of("username", "password")) {
                    variables.put(binding.text(PARTS.get(part)), String.valueOf(entry.get(part)));
                }
                secrets.add(String.valueOf(entry.get("password")));
            }
            case "usernameColonPassword" -> {
                String both = entry.get("username") + ":" + entry.get("password");
                variables.put(binding.text("variable"), both);
                secrets.addAll(List.of(both, String.valueOf(entry.get("password"))));
            }
            case "string" -> {
                variables.put(binding.text("variable"), String.valueOf(entry.get("secret")));
                secrets.add(String.valueOf(entry.get("secret")));
            }
            default -> {
                Path held = FileSteps.temporary(FileSteps.directory(run)).resolve("secretFiles")
                    .resolve(UUID.randomUUID().toString());
                files.add(held.toString());
                Path target = place(Path.of(String.valueOf(entry.get("path"))), held, binding.name.equals("zip"));
                variables.put(binding.text("variable"), target.toString());
                secrets.add(target.toString());
            }
        }
    }

    private static Path place(Path source, Path held, boolean unpack) throws IOException {
        Files.createDirectories(held);
        if (Files.isDirectory(source)) {
            FileSteps.copyTree(source, held);
            return held;
        }
        if (unpack) {
            unpack(source, held);
            return held;
        }
        Path target = held.resolve(source.getFileName());
        FileSteps.copy(source, target);
        return target;
    }

    private static void unpack(Path archive, Path target) throws IOException {
        try (ZipInputStream in = new ZipInputStream(Files.newInputStream(archive))) {
            for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                Path file = target.resolve(entry.getName()).normalize();
                if (!file.startsWith(target)) {
                    throw new IOException("entry outside of the archive: " + entry.getName());
                }
                if (entry.isDirectory()) {
                    Files.createDirectories(file);
                } else {
                    Files.createDirectories(file.getParent());
                    Files.copy(in, file);
                }
            }
        }
    }

    /** Removes the files of secrets when the body has ended. */
    private record Cleanup(ArrayList<String> files) implements BodyCallback {
        @Override
        public void end(Build build, int thread, Outcome outcome) {
            try {
                for (String file : files) {
                    FileSteps.delete(Path.of(file));
                }
            } catch (IOException problem) {
                build.program().complete(thread, new Outcome(null, problem));
                return;
            }
            build.program().complete(thread, outcome);
        }
    }
}
