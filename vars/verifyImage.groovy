import org.imagegate.Bridge

/** See verifyImage.txt. */
Map call(Map parameters = [:]) {
    return new Bridge(this).run('verifyImage', parameters)
}
