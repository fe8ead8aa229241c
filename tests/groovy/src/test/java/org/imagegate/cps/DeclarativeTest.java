package org.imagegate.cps;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Declarative pipelines. */
public class DeclarativeTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Runs runs() {
        return new Runs(folder.getRoot().toPath());
    }

    private static String pipeline(String... lines) {
        return "pipeline {\n" + String.join("\n", lines) + "\n}\n";
    }

    @Test
    public void agentChecksOutSourceUnlessTold() throws Exception {
        Runs runs = runs();
        runs.file("scm/source.txt", "x");
        runs.with("scm", runs.directory().resolve("scm").toString());
        String stages = "stages { stage('s') { steps { sh 'ls' ; echo \"${fileExists('source.txt')}\" } } }";
        runs.run(pipeline("agent any", stages)).ends("SUCCESS");
        assertTrue(runs.logged("true"));
        runs.with("root", runs.directory().resolve("other").toString());
        runs.run(pipeline("agent { label 'linux' }", "options { skipDefaultCheckout() }", stages)).ends("SUCCESS");
        assertTrue(runs.logged("false"));
    }

    @Test
    public void environmentHoldsValuesAndCredentials() throws Exception {
        Runs runs = runs().with("credentials", Map.of("u", Map.of("kind", "usernamePassword", "username", "ann",
            "password", "pwpw"), "t", Map.of("kind", "string", "secret", "hush")));
        runs.run(pipeline("agent any", "environment { A = 'one'\nB = \"${A}-two\"\nC = credentials('u')\n"
            + "D = credentials('t') }",
            "stages { stage('s') { environment { E = 'five' }\n steps { "
            + "sh 'echo $A $B $E $C_USR; test $C_PSW = pwpw; test $C = ann:pwpw; test $D = hush' } } }"))
            .ends("SUCCESS");
        assertTrue(runs.logged("one one-two five ann"));
        assertFalse(runs.logged("pwpw"));
        assertEquals(List.of("u", "u", "t"), runs.step("sh", 0).get("credentials"));
    }

    @Test
    public void whenSkipsStages() throws Exception {
        Runs runs = runs().with("branchName", "main").run(pipeline("agent any", "stages {",
            "stage('a') { when { expression { return false } }\n steps { echo 'ran a' } }",
            "stage('b') { when { branch 'main' }\n steps { echo 'ran b' } }",
            "stage('c') { when { anyOf { branch 'x'; not { branch 'y' } } }\n steps { script { echo 'ran c' } } }",
            "stage('d') { when { beforeAgent true; expression { params.P } }\n agent any\n steps { echo 'ran d' } }",
            "}")).ends("SUCCESS");
        assertFalse(runs.logged("ran a"));
        assertTrue(runs.logged("ran b"));
        assertTrue(runs.logged("ran c"));
        assertFalse(runs.logged("ran d"));
    }

    @Test
    public void postConditionsFollowTheResult() throws Exception {
        String post = "post { always { echo 'p always' }\nsuccess { echo 'p success' }\nfailure { echo 'p failure' }\n"
            + "unstable { echo 'p unstable' }\ncleanup { echo 'p cleanup' } }";
        Runs failing = runs().run(pipeline("agent any",
            "stages { stage('s') { steps { error 'no' }\n post { failure { echo 'stage failure' } } }",
            "stage('t') { steps { echo 'ran t' } } }", post)).ends("FAILURE");
        assertTrue(failing.logged("stage failure"));
        assertTrue(failing.logged("p failure"));
        assertTrue(failing.logged("p cleanup"));
        assertFalse(failing.logged("p success"));
        assertFalse(failing.logged("ran t"));
        Runs unstable = runs().run(pipeline("agent any", "stages { stage('s') { steps { unstable 'meh' } } }", post))
            .ends("UNSTABLE");
        assertTrue(unstable.logged("p unstable"));
        assertFalse(unstable.logged("p failure"));
    }

    @Test
    public void parallelAndMatrixRunAllCells() throws Exception {
        Runs runs = runs().run(pipeline("agent any", "stages {",
            "stage('p') { parallel {\nstage('l') { steps { echo 'left' } }\nstage('r') { steps { echo 'right' } } } }",
            "stage('m') { matrix { axes { axis { name 'OS'; values 'a', 'b' }\naxis { name 'N'; values '1', '2' } }",
            "stages { stage('cell') { steps { echo \"cell ${OS}${env.N}\" } } } } }", "}")).ends("SUCCESS");
        for (String part : List.of("[l] left", "[r] right", "cell a1", "cell a2", "cell b1", "cell b2")) {
            assertTrue(part, runs.logged(part));
        }
    }

    @Test
    public void parametersHaveDefaultsAndOptionsLimit() throws Exception {
        Runs runs = runs().run(pipeline("agent none", "options { timeout(time: 1, unit: 'MINUTES'); timestamps() }",
            "parameters { string(name: 'WHO', defaultValue: 'me'); booleanParam(name: 'ON', defaultValue: true) }",
            "stages { stage('s') { steps { echo \"${params.WHO} ${params.ON}\" } } }")).ends("SUCCESS");
        assertTrue(runs.logged("me true"));
    }

    @Test
    public void podAgentNeedsThePlugin() throws Exception {
        String text = pipeline("agent { kubernetes { yaml 'kind: Pod'; defaultContainer 'tool' } }",
            "stages { stage('s') { steps { sh 'echo in $CONTAINER_NAME' } } }");
        assertTrue(runs().with("plugins", List.of("kubernetes")).run(text).ends("SUCCESS").logged("in tool"));
        assertEquals("java.lang.NoSuchMethodError", runs().run(text).ends("FAILURE").errorClass());
    }
}
