import org.imagegate.cps.DockerImage

/** The global variable {@code docker}, as far as its images run steps inside of containers. */
def image(String id) {
    new DockerImage(this, id)
}

/** Runs the body as one that is logged in to a registry. */
def withRegistry(String url, String credentialsId = null, Closure body) {
    withDockerRegistry(url: url, credentialsId: credentialsId) {
        body()
    }
}
