import org.imagegate.Bridge

/** See buildImage.txt. */
Map call(Map parameters = [:]) {
    return new Bridge(this).run('buildImage', parameters)
}
