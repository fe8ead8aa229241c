import org.imagegate.Bridge

/** See buildImage.txt. */
Map call(Object parameters = [:]) {
    return new Bridge(this).run('buildImage', parameters)
}
