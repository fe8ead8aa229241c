package org.imagegate.cps;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Shared libraries: variables, classes, resources, and the ways to load one. */
public class LibraryTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Runs runs() {
        return new Runs(folder.getRoot().toPath());
    }

    @Test
    public void toyRuns() throws Exception {
        Runs runs = runs().toyLibrary().with("libraryVersion", "3")
            .run(Files.readString(Path.of("src/test/resources/toy/Jenkinsfile"))).ends("SUCCESS");
        assertTrue(runs.logged("Hello ANN!"));
        assertTrue("fields of a variable survive restarts", runs.logged("call 2 of greet"));
        assertTrue((int) runs.get("restarts") > 20);
        assertTrue((int) runs.get("stateBytes") > 1000);
    }

    @Test
    public void versionIsInTheEnvironment() throws Exception {
        Runs runs = runs().toyLibrary().with("libraryVersion", "3.1")
            .run("echo \"version ${env.'library.imagegate.version'}\"").ends("SUCCESS");
        assertTrue(runs.logged("version 3.1"));
    }

    @Test
    public void dynamicLibraryIsUnknownBefore() throws Exception {
        String text = "node { try { greet(name: 'x') } catch (NoSuchMethodError e) { echo 'unknown' }\n"
            + "def lib = library('imagegate@3')\necho greet(name: 'Eve')\n"
            + "echo lib.org.toy.Greeter.new(this).greet('Ida') }";
        Runs runs = runs().toyLibrary().run(text).ends("SUCCESS");
        assertTrue(runs.logged("unknown"));
        assertTrue(runs.logged("Hello EVE!"));
        assertTrue(runs.logged("Hello IDA!"));
    }

    @Test
    public void unknownLibraryFails() throws Exception {
        Runs runs = runs().toyLibrary().run("@Library('other@1') _\necho 'x'").ends("FAILURE");
        assertTrue(runs.error(), runs.error().contains("Could not find any definition of libraries [other@1]"));
    }

    @Test
    public void missingResourceFails() throws Exception {
        Runs runs = runs().toyLibrary().run("libraryResource 'nothing'").ends("FAILURE");
        assertEquals("No such library resource nothing could be found.", runs.error());
    }

    @Test
    public void variableInstancesAreMadeForEachUser() throws Exception {
        Runs runs = runs()
            .library("vars/count.groovy", "@groovy.transform.Field int n = 0\ndef next() { n = n + 1\n return n }")
            .library("vars/other.groovy", "def call() { return count.next() }")
            .run("count.next()\ncount.next()\necho \"n ${other()}\"").ends("SUCCESS");
        assertTrue("as on a controller", runs.logged("n 1"));
    }

    @Test
    public void compileErrorFailsTheBuild() throws Exception {
        Runs runs = runs().library("vars/broken.groovy", "def call( {").run("echo 'x'").ends("FAILURE");
        assertTrue(runs.errorClass(), runs.errorClass().endsWith("MultipleCompilationErrorsException"));
    }
}
