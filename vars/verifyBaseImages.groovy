import org.imagegate.Bridge

/** See verifyBaseImages.txt. */
Map call(Map parameters = [:]) {
    return new Bridge(this).run('verifyBaseImages', parameters)
}
