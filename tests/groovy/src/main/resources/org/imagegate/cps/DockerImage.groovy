package org.imagegate.cps

/** What {@code docker.image(…)} gives. */
class DockerImage implements Serializable {
    private static final long serialVersionUID = 1L

    final Object script
    final String id

    DockerImage(Object script, String id) {
        this.script = script
        this.id = id
    }

    /** Runs the body inside of a container of the image. */
    def inside(String args = '', Closure body) {
        script.withDockerContainer(image: id, args: args) {
            body()
        }
    }

    /** Gives the name by which a process of the agent can use the image. */
    @NonCPS
    String imageName() {
        id
    }
}
