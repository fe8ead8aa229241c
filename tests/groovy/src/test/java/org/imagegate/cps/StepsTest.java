package org.imagegate.cps;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Steps with files, credentials, results, other jobs and optional plugins. */
public class StepsTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Runs runs() {
        return new Runs(folder.getRoot().toPath());
    }

    @Test
    public void filesStashesAndArchives() throws Exception {
        Runs runs = runs().run("node { dir('sub') { writeFile file: 'a/b.txt', text: 'ä'; echo readFile('a/b.txt') }\n"
            + "stash name: 's', includes: 'sub/**/*.txt'\nws('elsewhere') { unstash 's'; echo \"${fileExists('sub/a/b.txt')}\"\n"
            + "echo pwd() }\necho pwd(tmp: true)\narchiveArtifacts artifacts: 'sub/**'\n"
            + "archiveArtifacts artifacts: 'none/*', allowEmptyArchive: true\ndir('sub') { deleteDir() }\n"
            + "echo \"gone ${fileExists('sub')}\"\narchiveArtifacts 'none/*' }").ends("FAILURE");
        assertTrue(runs.error(), runs.error().startsWith("No artifacts found that match"));
        assertEquals(List.of("sub/a/b.txt"), runs.list("archived"));
        assertTrue(Files.exists(runs.directory().resolve("root/archive/job/1/sub/a/b.txt")));
        assertTrue(runs.logged(runs.directory().resolve("root/workspace/job@tmp").toString()));
        assertTrue(runs.logged("gone false"));
    }

    @Test
    public void credentialsAreBoundInsideOnlyAndMasked() throws Exception {
        Path secret = runs().file("secret.txt", "file content");
        Path tree = runs().file("tree/key", "k").getParent();
        Runs runs = runs().with("credentials", Map.of(
            "u", Map.of("kind", "usernamePassword", "username", "ann", "password", "pwpw"),
            "f", Map.of("kind", "file", "path", secret.toString()),
            "z", Map.of("kind", "zip", "path", tree.toString())))
            .run("node { withCredentials([usernamePassword(credentialsId: 'u', usernameVariable: 'U', passwordVariable: 'P'),"
            + " file(credentialsId: 'f', variable: 'F'), zip(credentialsId: 'z', variable: 'Z')]) {\n"
            + "sh 'echo $U $P; cat $F; cat $Z/key'; echo env.P }\n sh 'echo left ${P:-nothing}' \n"
            + "withCredentials([string(credentialsId: 'x', variable: 'X')]) { } }").ends("FAILURE");
        assertEquals("Could not find credentials entry with ID 'x'", runs.error());
        assertTrue(runs.logged("ann ****"));
        assertTrue(runs.logged("file content"));
        assertTrue(runs.logged("left nothing"));
        assertFalse(runs.log().toString().contains("pwpw"));
        assertEquals(List.of("u", "f", "z"), runs.step("sh", 0).get("credentials"));
        assertEquals(List.of(), runs.step("sh", 1).get("credentials"));
    }

    @Test
    public void environmentOfBlocks() throws Exception {
        Runs runs = runs().run("node { withEnv(['B=$A-2', 'A=1', 'PATH+X=/x', 'C=$$A']) { sh 'echo $B $C $PATH'\n"
            + "withEnv(['A=']) { sh 'echo ${A-unset}' } }\n env.A = 'set'; sh 'echo build $A' }").ends("SUCCESS");
        assertTrue(runs.logged("1-2 $A /x:"));
        assertTrue(runs.log().contains("unset"));
        assertTrue(runs.logged("build set"));
    }

    @Test
    public void errorsAreCaughtRetriedAndTurnedIntoResults() throws Exception {
        Runs runs = runs().run("def n = 0\nretry(3) { n++; if (n < 3) { error \"try ${n}\" } }\necho \"n ${n}\"\n"
            + "try { error 'bad' } catch (e) { echo \"caught ${e.message} ${e}\" }\n"
            + "catchError(buildResult: 'UNSTABLE', message: 'soft') { error 'inner' }\n"
            + "echo currentBuild.currentResult\nwarnError('w') { error 'x' }\n"
            + "currentBuild.result = 'SUCCESS'\necho \"still ${currentBuild.result}\"").ends("UNSTABLE");
        assertTrue(runs.logged("n 3"));
        assertTrue(runs.logged("caught bad hudson.AbortException: bad"));
        assertTrue(runs.logged("still UNSTABLE"));
    }

    @Test
    public void otherJobsRun() throws Exception {
        Runs runs = runs();
        String child = runs.file("child", "env.MADE = \"by ${params.WHO}\"\n"
            + "currentBuild.description = 'of child'\nif (params.WHO == 'bad') { error 'no' }").toString();
        runs.with("jobs", Map.of("team/child", Map.of("jenkinsfile", child))).run(
            "def b = build(job: 'team/child', parameters: [string(name: 'WHO', value: 'me')])\nnode { sh 'true' }\n"
            + "echo \"${b.result} ${b.number} ${b.buildVariables.MADE} ${b.description} ${b.fullDisplayName} ${b.absoluteUrl}\"\n"
            + "def c = build(job: 'team/child', propagate: false, parameters: [string(name: 'WHO', value: 'bad')])\n"
            + "echo \"second ${c.result}\"\nbuild job: 'team/child', parameters: [string(name: 'WHO', value: 'bad')]")
            .ends("FAILURE");
        assertTrue(runs.logged("SUCCESS 1 by me of child team » child #1 http://jenkins.example/job/team/job/child/1/"));
        assertTrue(runs.logged("second FAILURE"));
        assertTrue(runs.error(), runs.error().contains("team » child #3 completed with status FAILURE"));
        assertEquals(3, runs.list("builds").size());
        assertEquals("No item named x found", runs().run("build 'x'").ends("FAILURE").error());
    }

    @Test
    public void absentPluginsHaveNoSteps() throws Exception {
        for (String step : List.of("junit 'x'", "recordIssues(tools: [])", "publishHTML([:])", "addBadge(text: 'x')",
                "docker.image('x')", "podTemplate { }", "bat 'x'", "input 'x'", "withBuildUser { }")) {
            Runs runs = runs().run("node { " + step + " }").ends("FAILURE");
            assertTrue(step + runs.errorClass(), List.of("java.lang.NoSuchMethodError",
                "groovy.lang.MissingPropertyException").contains(runs.errorClass()));
        }
    }

    @Test
    public void reportsAreTakenDown() throws Exception {
        Runs runs = runs().with("plugins", List.of("junit", "warnings-ng", "htmlpublisher", "badge"))
            .run("node { writeFile file: 'r.xml', text: '<testsuite><testcase classname=\"a\" name=\"b\"><failure/>"
            + "</testcase></testsuite>'\ndef t = junit 'r.xml'\necho \"failed ${t.failCount}\"\n"
            + "writeFile file: 'h/i.html', text: 'x'\npublishHTML([reportDir: 'h', reportFiles: 'i.html', reportName: 'R'])\n"
            + "addBadge(text: 'T')\nrecordIssues(tools: [sarif(pattern: 'x.sarif', id: 'one')])\n"
            + "recordIssues(tools: [sarif(pattern: 'x.sarif', id: 'one')]) }").ends("FAILURE");
        assertTrue(runs.error(), runs.error().startsWith("ID one is already used by another action"));
        assertTrue(runs.logged("failed 1"));
        assertEquals(List.of("r.xml"), runs.list("junit"));
        assertEquals(1, runs.list("issues").size());
        assertEquals(1, runs.list("published").size());
        assertEquals(1, runs.list("badges").size());
    }

    @Test
    public void containersChangeTheEnvironmentOfShells() throws Exception {
        Runs runs = runs().with("plugins", List.of("docker-workflow", "kubernetes"))
            .run("podTemplate(yaml: 'x') { node(POD_LABEL) { container('tool') { sh 'echo in $CONTAINER_NAME' }\n"
            + "docker.image('img:1').inside('-u 1') { sh 'echo docker $DOCKER_INSIDE' } } }").ends("SUCCESS");
        assertTrue(runs.logged("in tool"));
        assertTrue(runs.logged("docker 1"));
        Runs hooked = runs().with("plugins", List.of("docker-workflow")).with("dockerInside", List.of("env", "HOOK=1"))
            .run("node { docker.image('img').inside { sh 'echo hook $HOOK' } }").ends("SUCCESS");
        assertTrue(hooked.logged("hook 1"));
    }

    @Test
    public void checkoutNeedsSourceControl() throws Exception {
        Runs with = runs();
        with.file("scm/x/y.txt", "y");
        with.with("scm", with.directory().resolve("scm").toString())
            .run("node { checkout scm; echo readFile('x/y.txt') }").ends("SUCCESS");
        assertTrue(runs().run("node { checkout scm }").ends("FAILURE").error().contains("checkout scm"));
    }

    @Test(expected = IllegalArgumentException.class)
    public void unknownKeyIsAnError() {
        Scenario.of(Map.of("nothing", 1));
    }
}
