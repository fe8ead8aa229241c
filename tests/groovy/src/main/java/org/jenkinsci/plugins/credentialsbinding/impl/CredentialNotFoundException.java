package org.jenkinsci.plugins.credentialsbinding.impl;

import hudson.AbortException;

/** Stands in for the controller's class of that name: no credentials entry of the asked id (or kind). */
public class CredentialNotFoundException extends AbortException {
    private static final long serialVersionUID = 1L;

    /** Makes one with that message. */
    public CredentialNotFoundException(String message) {
        super(message);
    }
}
