package org.toy

import com.cloudbees.groovy.cps.NonCPS

/** Makes greetings with the help of a shell and of a resource. */
class Greeter implements Serializable {
    private static final long serialVersionUID = 1L

    private final Object steps

    Greeter(Object steps) {
        this.steps = steps
    }

    String greet(String name) {
        String word = steps.libraryResource('org/toy/word.txt').trim()
        String punctuation = steps.sh(script: 'printf "!"', returnStdout: true)
        return "${word} ${shout(name)}${punctuation}"
    }

    @NonCPS
    private static String shout(String name) {
        return name.toUpperCase()
    }
}
