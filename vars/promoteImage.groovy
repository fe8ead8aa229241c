import org.imagegate.Promotion

/** See promoteImage.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Promotion(this).promote([parameters, more])
}
