import org.imagegate.Bridge

/** See verifyBaseImages.txt. */
Map call(Object parameters = [:]) {
    return new Bridge(this).run('verifyBaseImages', parameters)
}
