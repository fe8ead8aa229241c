package org.jenkinsci.plugins.workflow.libs;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Stands in for the controller's annotation of that name: which shared libraries a Jenkinsfile loads. */
@Retention(RetentionPolicy.SOURCE)
@Target({ElementType.CONSTRUCTOR, ElementType.FIELD, ElementType.LOCAL_VARIABLE, ElementType.METHOD,
         ElementType.PACKAGE, ElementType.PARAMETER, ElementType.TYPE})
public @interface Library {
    /** Names of libraries, each perhaps followed by @ and a version. */
    String[] value();

    /** Whether the log lists the changes of the library; taken and ignored. */
    boolean changelog() default true;
}
