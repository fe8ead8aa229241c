import org.imagegate.Bridge

/** See buildImage.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Bridge(this).run('buildImage', [parameters, more])
}
