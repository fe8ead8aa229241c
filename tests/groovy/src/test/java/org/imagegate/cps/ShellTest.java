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

/** The step sh and what stops it. */
public class ShellTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Runs runs() {
        return new Runs(folder.getRoot().toPath());
    }

    @Test
    public void statusAndOutputAndFailure() throws Exception {
        Runs runs = runs().run("node { echo \"status ${sh(script: 'exit 3', returnStatus: true)}\"\n"
            + "echo \"out ${sh(script: 'echo ä; echo err >&2', returnStdout: true).trim()}\"\n sh 'exit 4' }")
            .ends("FAILURE");
        assertTrue(runs.logged("status 3"));
        assertTrue(runs.logged("out ä"));
        assertTrue(runs.logged("err"));
        assertEquals("script returned exit code 4", runs.error());
        assertEquals("hudson.AbortException", runs.errorClass());
    }

    @Test
    public void scriptMayHaveAnInterpreter() throws Exception {
        Runs runs = runs().run("node { sh '''#!/bin/cat\nwhole text''' }").ends("SUCCESS");
        assertTrue(runs.logged("whole text"));
    }

    @Test
    public void environmentIsOnlyWhatJenkinsAndTheScenarioGive() throws Exception {
        Runs runs = runs().with("jobName", "über job").with("branchName", "main").with("params", Map.of("P", "q"))
            .run("node { sh 'env | cut -d= -f1 | sort | tr \"\\\\n\" \" \"' ; sh 'echo $JOB_NAME/$P/$BUILD_URL' }")
            .ends("SUCCESS");
        String names = runs.log().stream().filter(line -> line.startsWith("BRANCH_NAME ")).findFirst().orElse("");
        assertFalse(names, names.contains("HOME"));
        assertTrue(names, names.contains("BUILD_TAG"));
        assertTrue(runs.logged("über job/q/http://jenkins.example/job/%C3%BCber%20job/1/"));
        assertEquals(runs.directory().resolve("root/workspace/über job").toString(), runs.step("sh", 0).get("cwd"));
    }

    @Test
    public void backgroundProcessDoesNotHoldTheStep() throws Exception {
        long begun = System.nanoTime();
        runs().run("node { sh 'sleep 20 & echo started' }").ends("SUCCESS");
        assertTrue(System.nanoTime() - begun < 10e9);
    }

    @Test
    public void timeoutKillsTheGroup() throws Exception {
        Runs runs = runs().run("node { timeout(time: 500, unit: 'MILLISECONDS') { sh 'sleep 30; echo no' } }")
            .ends("ABORTED");
        assertTrue(runs.logged("Cancelling nested steps due to timeout"));
        assertEquals("org.jenkinsci.plugins.workflow.steps.FlowInterruptedException", runs.errorClass());
        assertFalse(runs.log().contains("no"));
    }

    @Test
    public void abortRunsFinallyBlocksAndKillsByForce() throws Exception {
        Path pid = folder.getRoot().toPath().resolve("pid");
        Runs runs = runs().with("abort", Map.of("duringSh", 2, "afterSeconds", 0.3))
            .run("node { sh 'true'; try { sh 'trap \"\" TERM; echo $$ > " + pid + "; while :; do sleep 0.1; done' }\n"
                + "catch (e) { echo \"caught ${e.class.simpleName} ${e.result}\"; throw e }\n"
                + "finally { sh 'echo cleaned' } }").ends("ABORTED");
        assertTrue(runs.logged("caught FlowInterruptedException ABORTED"));
        assertTrue(runs.log().contains("cleaned"));
        assertFalse(ProcessHandle.of(Long.parseLong(Files.readString(pid).trim())).isPresent());
    }

    @Test
    public void outsideOfNodeFails() throws Exception {
        Runs runs = runs().run("sh 'true'").ends("FAILURE");
        assertTrue(runs.error(), runs.error().startsWith("Required context class hudson.FilePath is missing"));
    }

    @Test
    public void parallelBranchesOverlapAndHaveOwnWorkspaces() throws Exception {
        String meet = folder.getRoot().toPath().resolve("meet").toString();
        String branch = "{ node { sh 'touch " + meet + "%s; until test -e " + meet + "%s; do sleep 0.05; done; pwd' } }";
        Runs runs = runs().run("timeout(time: 20, unit: 'SECONDS') { parallel a: " + String.format(branch, "a", "b")
            + ", b: " + String.format(branch, "b", "a") + " }").ends("SUCCESS");
        assertTrue(runs.logged("[a] " + runs.directory().resolve("root/workspace/job")));
        assertTrue(runs.logged("[b] " + runs.directory().resolve("root/workspace/job@2")));
    }

    @Test
    public void failFastStopsTheOthers() throws Exception {
        Runs runs = runs().run("node { parallel a: { sleep(time: 300, unit: 'MILLISECONDS'); error 'broke' },"
            + " b: { sh 'sleep 30' }, failFast: true }").ends("FAILURE");
        assertEquals("broke", runs.error());
        assertEquals(List.of("sleep", "error", "sh").size(), runs.list("steps").stream()
            .filter(step -> List.of("sleep", "error", "sh").contains(((Map<?, ?>) step).get("name"))).count());
    }
}
