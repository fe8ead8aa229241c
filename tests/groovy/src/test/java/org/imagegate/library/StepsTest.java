package org.imagegate.library;

import static com.lesfurets.jenkins.unit.MethodSignature.method;
import static com.lesfurets.jenkins.unit.global.lib.LibraryConfiguration.library;
import static com.lesfurets.jenkins.unit.global.lib.LocalSource.localSource;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.lesfurets.jenkins.unit.BasePipelineTest;
import com.lesfurets.jenkins.unit.MethodCall;
import groovy.json.JsonOutput;
import groovy.json.JsonSlurperClassic;
import groovy.lang.Closure;
import hudson.model.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The steps with a made-up agent, on JenkinsPipelineUnit: what they send, and what they make of an answer. */
public class StepsTest extends BasePipelineTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private final Map<String, String> files = new HashMap<>();
    private final List<String> scripts = new ArrayList<>();
    private final List<Object> bound = new ArrayList<>();
    private final Map<String, Object> environment = new HashMap<>();
    private final Map<String, Object> answer = new HashMap<>(Map.of(
        "outcome", "pass", "exitCode", 0, "message", "passed", "onStop", "FAILURE"));
    private int status;

    @Override
    @Before
    public void setUp() throws Exception {
        setScriptRoots(folder.getRoot().getPath());
        setScriptExtension("jenkins");
        super.setUp();
        Path libraries = folder.newFolder("libraries").toPath();
        Files.createSymbolicLink(libraries.resolve("imagegate@1"), Path.of("../..").toRealPath());
        getHelper().registerSharedLibrary(library().name("imagegate").defaultVersion("1").allowOverride(false)
            .implicit(true).targetPath(libraries.toString()).retriever(localSource(libraries.toString())).build());
        getBinding().setVariable("env", environment);
        step("withEnv", List.of(List.class, Closure.class), arguments -> ((Closure<?>) arguments[1]).call());
        step("dir", List.of(String.class, Closure.class), arguments -> ((Closure<?>) arguments[1]).call());
        getBinding().setVariable("currentBuild", new HashMap<>());
        step("isUnix", List.of(), arguments -> true);
        step("pwd", List.of(Map.class), arguments -> "/workspace@tmp");
        step("writeFile", List.of(Map.class), arguments -> files.put(argument(arguments, "file"), argument(arguments, "text")));
        step("fileExists", List.of(String.class), arguments -> files.containsKey(arguments[0].toString()));
        step("readFile", List.of(Map.class), arguments -> files.get(argument(arguments, "file")));
        step("deleteDir", List.of(), arguments -> files.put("deleted", ""));
        step("sh", List.of(Map.class), arguments -> shell(argument(arguments, "script")));
        step("withCredentials", List.of(List.class, Closure.class), arguments -> {
            bound.addAll((List<?>) arguments[0]);
            Object value = ((Closure<?>) arguments[1]).call();
            scripts.add("unbound");
            return value;
        });
        step("error", List.of(String.class), arguments -> {
            throw new IllegalStateException(arguments[0].toString());
        });
        step("unstable", List.of(String.class), arguments -> files.put("unstable", arguments[0].toString()));
        step("archiveArtifacts", List.of(Map.class), arguments -> null);
    }

    private static String argument(Object[] arguments, String name) {
        return ((Map<?, ?>) arguments[0]).get(name).toString();
    }

    private void step(String name, List<Class> types, Function<Object[], Object> body) {
        getHelper().registerAllowedMethod(name, types, new Closure<Object>(this) {
            @Override
            public Object call(Object... arguments) {
                return body.apply(arguments);
            }

            @Override
            public Object call() {
                return body.apply(new Object[0]);
            }

            @Override
            public Object call(Object argument) {
                return body.apply(new Object[] {argument});
            }
        });
    }

    /** Throws what a lambda may not: Groovy, which is called from, declares no exceptions. */
    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void throwAsItIs(Throwable any) throws T {
        throw (T) any;
    }

    private Object shell(String script) {
        scripts.add(script);
        if (script.contains("bootstrap.sh")) {
            return 0;
        }
        String request = files.keySet().stream().filter(file -> file.endsWith("/request.json")).findFirst().orElseThrow();
        if (answer.containsKey("exitCode")) {
            files.put(request.replace("request.json", "result.json"), JsonOutput.toJson(answer));
        }
        return status;
    }

    private Object run(String pipeline) throws IOException {
        files.clear();
        // A name of its own: the script engine goes by names, and by times in whole seconds.
        Path file = Files.createTempFile(folder.getRoot().toPath(), "pipeline", ".jenkins");
        Files.writeString(file, pipeline);
        return runScript(file.getFileName().toString());
    }

    private Map<?, ?> request() {
        String text = files.entrySet().stream().filter(each -> each.getKey().endsWith("/request.json"))
            .map(Map.Entry::getValue).findFirst().orElseThrow();
        return (Map<?, ?>) new JsonSlurperClassic().parseText(text);
    }

    private long calls(String name) {
        return getHelper().getCallStack().stream().map(MethodCall::getMethodName).filter(name::equals).count();
    }

    @Test
    public void parametersGoAsAFileAndTheScriptIsAlwaysTheSame() throws Exception {
        run("gateImage image: '$(id); rm -rf /', to: \"a'b\\nc\", tags: ['ü', 7], dryRun: true, policy: null");
        Map<?, ?> parameters = (Map<?, ?>) request().get("parameters");
        assertEquals("$(id); rm -rf /", parameters.get("image"));
        assertEquals("a'b\nc", parameters.get("to"));
        assertEquals(List.of("ü", 7), parameters.get("tags"));
        assertEquals(true, parameters.get("dryRun"));
        assertTrue(scripts.stream().noneMatch(script -> script.contains("rm -rf")));
    }

    @Test
    public void whatJenkinsfilesHoldIsSentAsPlainValues() throws Exception {
        run("def name = 'app'; imagegate args: [\"${name}-x\", 'b c'.split(' '), [k: [1, true]], ({ 1 }), new File('/x')]");
        Map<?, ?> parameters = (Map<?, ?>) request().get("parameters");
        assertEquals(List.of("app-x", List.of("b", "c"), Map.of("k", List.of(1, true)), Map.of("closure", true), "/x"),
            parameters.get("args"));
    }

    @Test
    public void parametersThatAreNotGivenByNameAreAnError() {
        for (String step : List.of("gateImage", "imagePipeline", "verifyImage")) {
            for (String given : List.of("'x'", "7")) {
                Exception failed = assertThrows(IllegalStateException.class, () -> run(step + "(" + given + ")"));
                assertEquals(step + " takes its parameters by name, closures too, such as: " + step + "(name: value)",
                    failed.getMessage());
            }
        }
    }

    @Test
    public void aPassIsReturned() throws Exception {
        answer.put("image", "r/team/app@sha256:0");
        assertEquals("r/team/app@sha256:0", ((Map<?, ?>) run("return gateImage(image: 'i', to: 't')")).get("image"));
        assertTrue(files.containsKey("deleted"));
    }

    @Test
    public void aStopFailsTheBuildOrMakesItUnstable() throws Exception {
        status = 1;
        answer.putAll(Map.of("outcome", "stop", "exitCode", 1, "message", "app stopped"));
        Exception failed = assertThrows(IllegalStateException.class, () -> run("gateImage image: 'i', to: 't'"));
        assertEquals("imagegate: app stopped", failed.getMessage());
        answer.put("onStop", "UNSTABLE");
        assertEquals("stop", ((Map<?, ?>) run("return gateImage(image: 'i', to: 't')")).get("outcome"));
        assertEquals("imagegate: app stopped", files.get("unstable"));
    }

    @Test
    public void whatIsUndecidedIsAnErrorThatSaysSo() {
        status = 2;
        answer.putAll(Map.of("outcome", "undecided", "exitCode", 2, "message", "no advisories", "onStop", "UNSTABLE"));
        Exception failed = assertThrows(IllegalStateException.class, () -> run("checkImage image: 'i'"));
        assertEquals("imagegate could not decide: no advisories", failed.getMessage());
        assertTrue(files.containsKey("deleted"));
    }

    @Test
    public void anOutcomeThatNobodyKnowsIsNoPass() {
        answer.put("outcome", "excellent");
        assertThrows(IllegalStateException.class, () -> run("checkImage image: 'i'"));
    }

    @Test
    public void aCommandThatLeavesNoResultIsNoPass() {
        status = 137;
        answer.clear();
        Exception failed = assertThrows(IllegalStateException.class, () -> run("checkImage image: 'i'"));
        assertEquals("imagegate could not decide: the command ended with code 137 and left no result",
            failed.getMessage());
    }

    @Test
    public void aResultThatTheExitCodeContradictsIsNoPass() {
        status = 1;
        assertThrows(IllegalStateException.class, () -> run("checkImage image: 'i'"));
    }

    @Test
    public void credentialsAreBoundAroundTheOneCallThatNeedsThem() throws Exception {
        environment.put("IMAGEGATE_REGISTRY_CREDENTIALS", "robot");
        run("gateImage image: 'i', to: 't', notaryTargetsPassphrase: 'targets'");
        assertEquals(2, bound.size());
        assertTrue(scripts.get(0).contains("bootstrap.sh"));
        assertTrue(scripts.get(1).contains("run.sh"));
        assertEquals("unbound", scripts.get(2));
        assertEquals("at most three durable steps", 2, calls("sh"));
    }

    @Test
    public void whereAnotherJobSignsNoSigningCredentialIsBound() throws Exception {
        environment.putAll(Map.of("IMAGEGATE_PROMOTION", "delegated", "IMAGEGATE_NOTARY_KEYS_CREDENTIALS", "keys"));
        run("gateImage image: 'i', to: 't'");
        assertTrue(bound.isEmpty());
        run("gateImage image: 'i', to: 't', promotion: 'direct'");
        assertFalse(bound.isEmpty());
    }

    @Test
    public void anyCommandGetsOnlyTheCredentialsThatItNames() throws Exception {
        environment.put("IMAGEGATE_REGISTRY_CREDENTIALS", "robot");
        run("imagegate args: ['version']");
        assertTrue(bound.isEmpty());
    }

    @Test
    public void whatAPublisherDoesNotManageIsNoPartOfTheVerdict() throws Exception {
        answer.putAll(Map.of("publish", true, "reports",
            Map.of("folder", "f", "junit", "j", "issues", "i", "html", "h", "id", "id", "name", "n")));
        for (String name : List.of("junit", "issues", "recordIssues", "publishHTML", "archiveArtifacts")) {
            step(name, List.of(Map.class), arguments -> {
                throw new IllegalArgumentException("disk full");
            });
        }
        step("deleteDir", List.of(), arguments -> {
            throw new IllegalArgumentException("not ours to delete");
        });
        assertEquals("pass", ((Map<?, ?>) run("return checkImage(image: 'i')")).get("outcome"));
    }

    @Test
    public void anAbortThatFallsOnTheRemovalPassesThroughAfterIt() {
        step("deleteDir", List.of(), arguments -> {
            if (files.put("deleted", "") == null) {
                throwAsItIs(new FlowInterruptedException(Result.ABORTED, true, "Aborted by user"));
            }
            return files.put("deleted again", "");
        });
        assertThrows(FlowInterruptedException.class, () -> run("checkImage image: 'i'"));
        assertTrue(files.containsKey("deleted again"));
    }

    @Test
    public void absentPluginsCostALineEach() throws Exception {
        answer.putAll(Map.of("publish", true, "badge", "passed", "description", "app passed", "reports",
            Map.of("folder", "imagegate/app", "junit", "j", "issues", "i", "html", "h", "id", "id", "name", "n")));
        for (String name : List.of("junit", "issues", "recordIssues", "publishHTML", "addBadge")) {
            step(name, List.of(Map.class), arguments -> {
                throw new NoSuchMethodError("No such DSL method '" + name + "' found among steps [echo]");
            });
        }
        run("checkImage image: 'i'");
        List<String> told = new ArrayList<>();
        getHelper().getCallStack().stream().filter(call -> call.getMethodName().equals("echo"))
            .forEach(call -> told.add(call.argsToString()));
        assertEquals(4, told.size());
        assertTrue(told.get(0).contains("no tests, by JUnit: the plugin is not installed"));
    }
}
