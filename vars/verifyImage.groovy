import org.imagegate.Bridge

/** See verifyImage.txt. */
Map call(Object parameters = [:]) {
    return new Bridge(this).run('verifyImage', parameters)
}
